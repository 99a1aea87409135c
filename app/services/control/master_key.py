"""Under which master key secrets and key material lie, and sealing them anew under the one that seals now.

Knows what is sealed in the control state. Must not know the sealed form: opening, sealing and naming keys are handed
in. Sealing anew may be repeated and cut short at any point; what changes meanwhile stays as it was changed.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from app.core.cluster import AccessKey, Account, ClusterState, KmsKey, Reseal, Resealed, ResealMaterial
from app.core.errors import Corrupt
from app.core.limits import RESEAL_COMMANDS_MAX, RESEAL_SECRETS
from app.services.identity.commanding import CommandRefused, Desk


@dataclass(frozen=True, slots=True)
class Seals:
    """What a Sealer does. `key_ids`: of the master keys, that which seals first. `named`: the id of the key something
    is sealed under, "" where it does not say."""

    seal: Callable[[str, str], bytes]
    unseal: Callable[[str, bytes], str]
    seal_material: Callable[[str, int, bytes], bytes]
    open_material: Callable[[str, int, bytes], bytes]
    named: Callable[[bytes], str]
    key_ids: Callable[[], tuple[str, ...]]


class KeyUse(NamedTuple):
    """`key_id`: "" for what names no key, sealed by an earlier release. `known`: whether it opens here."""

    key_id: str
    seals: bool
    known: bool
    secrets: int
    materials: int


class ResealedCount(NamedTuple):
    """What one call sealed anew, and what is left for the next."""

    secrets: int
    materials: int
    left: int


class MasterKey:
    """The use cases. `kept`: seals anew what this process's node keeps for itself."""

    def __init__(self, desk: Desk, seals: Seals, kept: Callable[[], object] = lambda: None) -> None:
        self._desk = desk
        self._seals = seals
        self._kept = kept

    def uses(self) -> list[KeyUse]:
        """Of each master key that is known or in use; that which seals first."""
        state, ids = self._desk.cluster.state(), self._seals.key_ids()
        secrets = Counter(self._seals.named(key.sealed_secret) for key in sealed_keys(state))
        materials = Counter(self._seals.named(one) for key in state.kms_keys.values() for one in key.versions)
        found = [*ids, *sorted((secrets.keys() | materials.keys()) - set(ids))]
        return [KeyUse(one, one == ids[0], one in ids, secrets[one], materials[one]) for one in found]

    def reseal(self) -> ResealedCount:
        """Seal anew under the key that seals now, at most RESEAL_COMMANDS_MAX commands of it. Raises Corrupt when
        something does not open with any key, Unavailable, Full."""
        self._kept()
        commands = secrets = materials = 0
        while commands < RESEAL_COMMANDS_MAX:
            batch = self._behind()[:RESEAL_SECRETS]
            if not batch:
                break
            anew = tuple(self._anew(key) for key in batch)
            self._desk.submit(lambda command_id, anew=anew: Reseal(command_id, anew))  # type: ignore[misc]
            secrets, commands = secrets + len(batch), commands + 1
        for key in self._materials_behind():
            if commands >= RESEAL_COMMANDS_MAX:
                break
            materials, commands = materials + self._reseal_material(key), commands + 1
        return ResealedCount(secrets, materials, len(self._behind()) + sum(1 for _ in self._materials_behind()))

    def unopened(self, state: ClusterState) -> str:
        """The first thing in a state that does not open with the keys here, in words; "" when everything does."""
        try:
            for key in sealed_keys(state):
                self._seals.unseal(key.access_key, key.sealed_secret)
            for one in state.kms_keys.values():
                for version, sealed in enumerate(one.versions):
                    self._seals.open_material(one.key_id, version, sealed)
        except Corrupt as error:
            return str(error)
        return ""

    def _behind(self) -> list[AccessKey]:
        now = self._seals.key_ids()[0]
        return [key for key in sealed_keys(self._desk.cluster.state()) if self._seals.named(key.sealed_secret) != now]

    def _anew(self, key: AccessKey) -> Resealed:
        secret = self._seals.unseal(key.access_key, key.sealed_secret)
        return Resealed(key.access_key, key.sealed_secret, self._seals.seal(key.access_key, secret))

    def _materials_behind(self) -> Iterator[KmsKey]:
        now = self._seals.key_ids()[0]
        for key in list(self._desk.cluster.state().kms_keys.values()):
            if any(self._seals.named(one) != now for one in key.versions):
                yield key

    def _reseal_material(self, key: KmsKey) -> int:
        """How many versions of it; 0 when it was rotated meanwhile, which the next call sees."""
        anew = tuple(
            Resealed("", old, self._seals.seal_material(key.key_id, version, opened))
            for version, old in enumerate(key.versions)
            for opened in (self._seals.open_material(key.key_id, version, old),)
        )
        try:
            self._desk.submit(lambda command_id: ResealMaterial(command_id, key.key_id, anew))
        except CommandRefused as refused:
            if refused.code not in ("ConcurrentModification", "NotFoundException"):
                raise
            return 0
        return len(anew)


def sealed_keys(state: ClusterState) -> Iterator[AccessKey]:
    """Every access key of a state: of accounts and of their users."""
    for account in list(state.accounts.values()):
        yield from _of(account)


def _of(account: Account) -> Iterator[AccessKey]:
    yield from account.keys
    for user in account.users.values():
        yield from user.keys
