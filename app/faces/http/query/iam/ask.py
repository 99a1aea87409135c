"""One request to IAM: its parameters, the account it is about, and whether its caller may.

Knows IAM's parameter forms, and that an action is demanded on the ARN of what it is done to, in the caller's own
account, before anything tells whether that is there. Must not know what actions do. Source:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple, TypeVar

from app.core import limits
from app.core.cluster import Account, Entity, Who, arn
from app.core.cluster.identities import ROOMS
from app.core.errors import S3Error
from app.faces.http.query.answers import Values
from app.faces.http.query.form import Form, leaves_out
from app.services.call import Call
from app.services.gate.permits import Deed, demand, on_entity
from app.services.identity.commanding import CommandRefused
from app.services.identity.control import Control
from app.services.identity.iam import Iam

E = TypeVar("E", bound=Entity)
Keys = Mapping[str, tuple[str, ...]]
_NONE: Final[Keys] = {}
_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_PREFIX: Final = re.compile(r"/[\x21-\x7e]{0,511}", re.ASCII)


class UseCases(NamedTuple):
    """What IAM's actions are made of."""

    iam: Iam
    control: Control


class Kind(NamedTuple):
    """A kind of entity that is named by its name. `parameter`: UserName; `word`: User."""

    kind: str
    parameter: str
    word: str


USER: Final = Kind("user", "UserName", "User")
GROUP: Final = Kind("group", "GroupName", "Group")
ROLE: Final = Kind("role", "RoleName", "Role")


class Ask:
    """Raises CommandRefused ValidationError for malformed parameters, S3Error AccessDenied."""

    def __init__(self, use: UseCases, call: Call, form: Form) -> None:
        self.use = use
        self.call = call
        self.form = form
        self.action = form["Action"]

    @property
    def account(self) -> Account:
        """The caller's, as it is now."""
        return self.use.iam.account_of_id(self.call.caller.account_id)

    # --- parameters

    def text(self, name: str, default: str = "") -> str:
        """A parameter that may be missing."""
        return self.form.get(name, default)

    def needed(self, name: str) -> str:
        """A parameter that may not be missing or empty."""
        value = self.form.get(name, "")
        if not value:
            shown = name[0].lower() + name[1:]
            text = f"Value null at '{shown}' failed to satisfy constraint: Member must not be null"
            raise CommandRefused("ValidationError", f"1 validation error detected: {text}")
        return value

    def flag(self, name: str) -> bool:
        """A parameter that is true or false, and false when it is missing."""
        value = self.form.get(name, "false").lower()
        if value not in ("true", "false"):
            raise CommandRefused("ValidationError", f"{name} must be true or false.")
        return value == "true"

    def number(self, name: str, default: int) -> int:
        """A parameter that is a whole number."""
        value = self.form.get(name)
        if value is None:
            return default
        if not _NUMBER.fullmatch(value):
            raise CommandRefused("ValidationError", f"{name} must be a number.")
        return int(value)

    def one_of(self, name: str, *choices: str) -> str:
        """A parameter that is one of these, or "" when it is missing."""
        value = self.form.get(name, "")
        if value and value not in choices:
            raise CommandRefused("ValidationError", f"{name} must be one of {', '.join(choices)}.")
        return value

    def members(self, name: str) -> tuple[str, ...]:
        """`TagKeys.member.1` …; QUERY_PARAMETERS_MAX bounds them."""
        found: list[str] = []
        while (value := self.form.get(f"{name}.member.{len(found) + 1}")) is not None:
            found.append(value)
        self._require_list(name, {f"{name}.member.{number + 1}" for number in range(len(found))})
        return tuple(found)

    def _require_list(self, name: str, read: Collection[str]) -> None:
        if leaves_out(self.form, name, read):
            raise CommandRefused("ValidationError", f"{name} is a list whose members are numbered from 1 on.")

    def tags(self) -> dict[str, str]:
        """`Tags.member.1.Key` and `.Value`. A key twice is refused, whatever its case, as on IAM."""
        found: dict[str, str] = {}
        number = 1
        while (key := self.form.get(f"Tags.member.{number}.Key")) is not None:
            if any(one.lower() == key.lower() for one in found):
                text = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
                raise CommandRefused("ValidationError", text)
            found[key] = self.form.get(f"Tags.member.{number}.Value", "")
            number += 1
        self._require_list("Tags", {f"Tags.member.{at}.{part}" for at in range(1, number) for part in ("Key", "Value")})
        return found

    def path_prefix(self) -> str:
        """PathPrefix, "/" when it is missing."""
        prefix = self.form.get("PathPrefix", "/")
        if not _PREFIX.fullmatch(prefix):
            raise CommandRefused("ValidationError", "The specified value for pathPrefix is invalid.")
        return prefix

    # --- whether they may

    def arn(self, rest: str) -> str:
        """The ARN of something of the account's."""
        return f"arn:aws:iam::{self.call.caller.account_id}:{rest}"

    def demand(self, resource: str, entity: Entity | None = None, keys: Keys = _NONE, action: str = "") -> None:
        """Raises AccessDenied unless the caller may do this (or `action`) to a resource. `entity`: what is there: its
        tags and its boundary may be asked for."""
        deed = Deed(f"iam:{action or self.action}", resource, self.call.caller.account_id, keys)
        demand(self.call, on_entity(deed, entity))

    def named(self, kind: str, name: str) -> Entity | None:
        """What has that name, which knows no case."""
        there: Mapping[str, Entity] = getattr(self.account, ROOMS[kind])
        wanted = name.lower()
        return there.get(name) or next((one for one in there.values() if one.name.lower() == wanted), None)

    def found(self, kind: type[E], what: Kind, keys: Keys = _NONE) -> tuple[Who, E]:
        """What the action is to be done to, which the caller may. NoSuchEntity after AccessDenied: who may not does not
        learn what is there."""
        name = self.needed(what.parameter)
        entity = self.named(what.kind, name)
        self.demand(self.arn_of(what.kind, name, entity), entity, keys)
        if not isinstance(entity, kind):
            raise CommandRefused("NoSuchEntity", f"The {what.kind} with name {name} cannot be found.")
        return Who(self.account.name, what.kind, entity.name), entity

    def arn_of(self, kind: str, name: str, entity: Entity | None) -> str:
        """The ARN of an entity, or of one that is not there."""
        return self.arn(f"{kind}/{name}") if entity is None else arn(self.account.account_id, entity)

    def demand_creation(self, kind: Kind, name: str, boundary: str = "") -> dict[str, str]:
        """Raises AccessDenied unless the caller may make an entity of that name, with its tags, which are returned."""
        tags = self.tags()
        keys = tag_keys(tags)
        if boundary:
            keys["iam:permissionsboundary"] = (boundary,)
        resource = self.arn(f"{kind.kind}{self.text('Path', '/')}{name}")
        self.demand(resource, keys=keys)
        if tags:
            self.demand(resource, keys=keys, action=f"Tag{kind.word}")
        return tags


def tag_keys(tags: Iterable[str] | Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The condition keys of tags that are given, or of the names of tags that are taken."""
    names = tuple(tags)
    values = {f"aws:requesttag/{name}": (value,) for name, value in tags.items()} if isinstance(tags, Mapping) else {}
    return {**values, "aws:tagkeys": names} if names else {}


Act = Callable[[Ask], Values]
"""What an action does."""


def unsupported(name: str) -> Act:
    """An action of IAM's that does not exist here."""

    def refuse(_: Ask) -> Values:
        raise S3Error("NotImplemented", f"{name} is not implemented by this server.")

    return refuse


def limit_of(ask: Ask) -> int:
    """MaxItems."""
    most = ask.number("MaxItems", limits.QUERY_ITEMS)
    if not 1 <= most <= limits.QUERY_ITEMS_MAX:
        raise CommandRefused("ValidationError", f"MaxItems must lie in 1..{limits.QUERY_ITEMS_MAX}.")
    return most
