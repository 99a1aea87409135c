"""What a seed file (iam.toml) asks for: accounts and what is in them, before anybody administers.

Knows shapes only. Read by app/adapters/seed_file.py, made by app/services/identity/seeding.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.core.cluster.limits import NO_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class SeedKey:
    """What is "" is generated."""

    access_key: str = ""
    secret_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SeedPolicy:
    """A managed policy."""

    name: str
    text: str
    path: str = "/"
    description: str = ""


@dataclass(frozen=True, slots=True)
class SeedEntity:
    """A user, group or role, as far as its kind has what is here. `inline`: name -> text. `attached`, `boundary`: names
    of the account's own managed policies, or ARNs."""

    kind: str
    name: str
    path: str = "/"
    tags: Mapping[str, str] = field(default_factory=dict)
    inline: Mapping[str, str] = field(default_factory=dict)
    attached: tuple[str, ...] = ()
    boundary: str = ""
    groups: tuple[str, ...] = ()
    keys: tuple[SeedKey, ...] = ()
    trust: str = ""


@dataclass(frozen=True, slots=True)
class SeedAccount:
    """`name`: "root" for the operator's, which is there already and keeps its key. `entities`: groups before users."""

    name: str
    email: str = ""
    display_name: str = ""
    account_id: str = ""
    canonical_id: str = ""
    key: SeedKey = SeedKey()
    limits: Limits = NO_LIMITS
    policies: tuple[SeedPolicy, ...] = ()
    entities: tuple[SeedEntity, ...] = ()
