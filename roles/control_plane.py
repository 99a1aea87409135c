"""What every start makes sure of in the control state, and the desk its administration hands commands in at.

Knows which bricks administration stands on. Must not know faces.
"""

import os

from app.adapters.cluster.local import Writer
from app.adapters.cluster.sealing import Sealer
from app.core.cluster import AccessKey, Account, PutRoot
from app.ports.cluster import Cluster
from app.services.call import Sources
from app.services.identity.commanding import Desk, Identities
from app.services.identity.kms_keys import KmsKeys
from roles.credentials import RootCredentials, new_access_key, new_secret_key
from roles.data_dir import DataDir, Refusal


def desk(cluster: Cluster, sources: Sources) -> Desk:
    """The desk of this process."""
    return Desk(cluster, sources, Identities(new_access_key, new_secret_key, os.urandom))


def install(directory: DataDir, sealer: Sealer, root: RootCredentials, sources: Sources, region: str) -> None:
    """Before anybody serves: the root account has the credentials of this start, and the keyring its own keys, also
    where an earlier release made the data directory. Raises Refusal, StoreError."""
    cluster = Writer(directory.cluster, create=not directory.database.exists())
    try:
        ensure(cluster, sealer, root, sources, region)
    finally:
        cluster.close()


def ensure(cluster: Cluster, sealer: Sealer, root: RootCredentials, sources: Sources, region: str) -> None:
    """The same on any control plane that takes commands."""
    _install_root(cluster, sealer, root, sources)
    KmsKeys(desk(cluster, sources), sealer.seal_material, region).ensure()


def _install_root(cluster: Cluster, sealer: Sealer, root: RootCredentials, sources: Sources) -> None:
    """Keys of earlier starts stop working, unless the credentials are the same; then added ones stay too."""
    account = next((a for a in cluster.state().accounts.values() if a.root), None)
    if account is not None and _has_credentials(account, sealer, root):
        return
    key = AccessKey(root.access_key, sealer.seal(root.access_key, root.secret_key), created_ms=sources.now_ms())
    fresh = Account(
        account_id="".join(str(byte % 10) for byte in os.urandom(12)),
        canonical_id=os.urandom(32).hex(),
        name="root",
        email="",
        created_ms=sources.now_ms(),
        keys=(key,),
        root=True,
    )
    outcome = cluster.submit(PutRoot(sources.new_id().hex(), fresh))
    if outcome.error:
        raise Refusal(f"root access key {root.access_key} cannot be used: {outcome.message}")


def _has_credentials(account: Account, sealer: Sealer, root: RootCredentials) -> bool:
    key = next((one for one in account.keys if one.access_key == root.access_key and one.active), None)
    return key is not None and sealer.unseal(key.access_key, key.sealed_secret) == root.secret_key
