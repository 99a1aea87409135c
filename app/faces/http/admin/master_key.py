"""The master keys: how much is sealed under which, and sealing everything anew. Knows paths and shapes only; a key
itself is in no answer."""

from app.faces.http.admin.endpoints import SYSTEM, Asked, Endpoint, Shape
from app.services.control.master_key import MasterKey


class KeyShape(Shape):
    """A master key by its id, "" for secrets of an earlier release, which name none. `seals`: whether new secrets are
    sealed under it. `known`: whether what it sealed opens here."""

    key_id: str
    seals: bool
    known: bool
    secrets: int
    materials: int


class KeysShape(Shape):
    """The one that seals first."""

    keys: list[KeyShape]


class ResealedShape(Shape):
    """What this call sealed anew. `left`: what is for the next, 0 when everything is under the key that seals."""

    secrets: int
    materials: int
    left: int


def endpoints(master_key: MasterKey) -> list[Endpoint]:
    """Both of the operator's account only."""

    def get_master_key(_: Asked) -> KeysShape:
        return KeysShape(keys=[KeyShape(**one._asdict()) for one in master_key.uses()])

    def reseal(_: Asked) -> ResealedShape:
        return ResealedShape(**master_key.reseal()._asdict())

    return [
        Endpoint(
            "GET",
            "/master-key",
            "GetMasterKey",
            "How many secrets and key materials are sealed under which master key.",
            get_master_key,
            SYSTEM,
            returned=KeysShape,
        ),
        Endpoint(
            "POST",
            "/master-key/reseal",
            "ResealSecrets",
            "Seal everything anew under the master key that seals; repeat it until nothing is left.",
            reseal,
            SYSTEM,
            returned=ResealedShape,
        ),
    ]
