"""Why a gateway is of no use yet, by what it knows of its cluster."""

from app.adapters.cluster.sealing import Sealer
from app.core.cluster import AccessKey, Account, ClusterState, PutRoot, apply
from app.core.cluster.layout_commands import FoundCluster
from roles import metadata_keeper


def sealer(key: bytes) -> Sealer:
    return Sealer(key * 32, lambda count: bytes(count))


def test_a_gateway_whose_master_key_opens_nothing_is_not_ready_and_says_so() -> None:
    sealed = AccessKey("AKROOT", sealer(b"a").seal("AKROOT", "secret"))
    root = Account("0" * 12, "f" * 64, "root", "", 1, (sealed,), root=True)
    state = ClusterState()
    for command in (FoundCluster("f", "ab" * 16, 16), PutRoot("r", root)):
        state, outcome = apply(state, command)
        assert not outcome.error
    assert "iam_master_key is not the managers' own" in metadata_keeper._unknowing(state, sealer(b"b"))
    assert metadata_keeper._unknowing(state, sealer(b"a")) == "no device has been added to the cluster yet"
