"""Makes what a seed file asks for, by the use cases an administrator has.

Knows the order in which things can be made. What is there already stays as it is: a seed adds and never overwrites. A
key's secret that was generated is given back once, to be kept where its owner finds it.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from app.core.cluster import ClusterState, Command, Holder, Outcome, SetLimits, Who, apply, arn
from app.core.cluster.limits import ACCOUNT, NO_LIMITS, Scope
from app.core.cluster.seed import SeedAccount, SeedEntity, SeedKey
from app.services.identity.commanding import CommandRefused, Desk
from app.services.identity.control import Control, CreatedKey, NewAccount
from app.services.identity.iam import Iam, Wanted


class Seeded(NamedTuple):
    """`made`: a line for each thing. `keys`: those whose secrets were generated, by whose they are."""

    made: list[str]
    keys: dict[str, CreatedKey]


class WrongSeed(Exception):
    """What is asked for cannot be made. `name`: of what stands in the way."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


class Rehearsal:
    """ports.cluster.Cluster that is nobody's: a seed is made here first, whole or not at all, and the commands it took
    are handed in where it counts."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        self.commands: list[Command] = []

    def state(self) -> ClusterState:
        return self._state

    def submit(self, command: Command) -> Outcome:
        self._state, outcome = apply(self._state, command)
        self.commands.append(command)
        return outcome

    def close(self) -> None:
        """Nothing is held."""


class Seeding:
    """Over a desk of a rehearsal. `seal`: as of Control."""

    def __init__(self, desk: Desk, seal: Callable[[str, str], bytes]) -> None:
        self._desk = desk
        self._control = Control(desk, seal)
        self._iam = Iam(desk)
        self._made: list[str] = []
        self._keys: dict[str, CreatedKey] = {}

    def make(self, accounts: tuple[SeedAccount, ...]) -> Seeded:
        """Everything that is not there. Raises WrongSeed."""
        for account in accounts:
            self._step(account.name, lambda account=account: self._account(account))  # type: ignore[misc]
            for policy in account.policies:
                who = Who(account.name, "policy", policy.name)
                wanted = Wanted(policy.path, document=policy.text, description=policy.description)
                self._step(policy.name, lambda who=who, wanted=wanted: self._create(who, wanted))  # type: ignore[misc]
            for entity in account.entities:
                self._step(entity.name, lambda account=account, entity=entity: self._entity(account.name, entity))  # type: ignore[misc]
        return Seeded(self._made, self._keys)

    @staticmethod
    def _step(name: str, make: Callable[[], object]) -> None:
        try:
            make()
        except CommandRefused as refused:
            raise WrongSeed(name, f"{name}: {refused.message}") from refused

    def _account(self, wanted: SeedAccount) -> None:
        if wanted.name not in self._desk.cluster.state().accounts:
            new = NewAccount(
                wanted.name,
                wanted.key.access_key,
                wanted.key.secret_key,
                wanted.account_id,
                wanted.canonical_id,
                wanted.display_name,
                wanted.email,
            )
            _, key = self._control.create(new)
            self._shown(wanted.name, wanted.key, key)
            self._made.append(f"account {wanted.name}")
        scope = Scope(ACCOUNT, wanted.name)
        if wanted.limits != NO_LIMITS and self._desk.cluster.state().limits_of(scope) == NO_LIMITS:
            self._desk.submit(lambda command_id: SetLimits(command_id, scope, wanted.limits))
            self._made.append(f"limits of account {wanted.name}")

    def _create(self, who: Who, wanted: Wanted) -> bool:
        """Whether it was made now."""
        if who.name in _room(self._desk.cluster.state(), who):
            return False
        self._iam.create(who, wanted)
        self._made.append(f"{who.kind} {who.name} of {who.account}")
        return True

    def _entity(self, account: str, wanted: SeedEntity) -> None:
        who = Who(account, wanted.kind, wanted.name)
        boundary = self._arn(account, wanted.boundary) if wanted.boundary else ""
        if not self._create(who, Wanted(wanted.path, wanted.tags, boundary, wanted.trust)):
            return  # it is an administrator's now
        for policy, text in wanted.inline.items():
            self._iam.put_inline(who, policy, text)
        for named in wanted.attached:
            self._iam.attach(who, self._arn(account, named))
        for group in wanted.groups:
            self._iam.set_member(account, group, wanted.name, True)
        for key in wanted.keys:
            made = self._control.add_key(Holder(account, wanted.name), key.access_key, key.secret_key)
            self._shown(f"{account}/{wanted.name}", key, made)

    def _arn(self, account: str, named: str) -> str:
        if named.startswith("arn:"):
            return named
        whole = self._iam.account(account)
        policy = whole.policies.get(named)
        if policy is None:
            raise CommandRefused("NoSuchEntity", f"there is no policy named {named} in account {account}")
        return arn(whole.account_id, policy)

    def _shown(self, whose: str, wanted: SeedKey, made: CreatedKey) -> None:
        if not wanted.secret_key:
            self._keys[f"{whose}/{made.access_key}"] = made


def _room(state: ClusterState, who: Who) -> Mapping[str, object]:
    account = state.accounts[who.account]
    rooms: Mapping[str, Mapping[str, object]] = {
        "user": account.users,
        "group": account.groups,
        "role": account.roles,
        "policy": account.policies,
    }
    return rooms[who.kind]
