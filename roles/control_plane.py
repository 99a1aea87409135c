"""What every start makes sure of in the control state, and the desk its administration hands commands in at.

Knows which bricks administration stands on. Must not know faces.
"""

import os
from collections.abc import Callable
from pathlib import Path

from app.adapters.cluster.local import Writer
from app.adapters.cluster.sealing import Sealer
from app.config import Settings
from app.core.cluster import AccessKey, Account, PutRoot
from app.ports.cluster import Cluster
from app.services.call import Sources
from app.services.identity.commanding import CommandRefused, Desk, Identities
from app.services.identity.kms_keys import KmsKeys
from roles import sealed_state, seed
from roles.credentials import RootCredentials, new_access_key, new_secret_key
from roles.data_dir import DataDir, Refusal


def desk(cluster: Cluster, sources: Sources) -> Desk:
    """The desk of this process."""
    return Desk(cluster, sources, Identities(new_access_key, new_secret_key, os.urandom))


def install(
    directory: DataDir,
    sealer: Sealer,
    root: RootCredentials,
    sources: Sources,
    settings: Settings,
    say: Callable[[str], object],
) -> RootCredentials:
    """Before anybody serves: the root account has the credentials of this start, and the keyring its own keys, also
    where an earlier release made the data directory; an empty control state begins with the backup that is to be
    restored, or with the seed. `say` is told what was made. Returns root's credentials that are in force. Raises
    Refusal, StoreError."""
    backup = settings.restore_from
    cluster = Writer(directory.cluster, create=not directory.database.exists() or backup is not None)
    try:
        if not cluster.state().accounts and directory.database.exists() and backup is None:
            raise Refusal(f"{directory.cluster} holds nobody: a restore was cut short; give restore_from again")
        if backup is not None and not cluster.state().accounts:
            _restore(cluster, sealer, sources, directory, backup)
        ensure(cluster, sealer, root, sources, settings.region)
        seed.seed(cluster, sealer, sources, settings, say)
        return _in_force(cluster, sealer, root)
    finally:
        cluster.close()


def _restore(cluster: Cluster, sealer: Sealer, sources: Sources, directory: DataDir, backup: Path) -> None:
    handed_in = desk(cluster, sources)
    key = sealed_state.keys_of(handed_in, sealer, directory)
    try:
        sealed_state.backups_of(handed_in, sealer, key).restore(backup.read_bytes())
    except (OSError, CommandRefused) as error:
        raise Refusal(f"restore_from: {backup}: {getattr(error, 'message', error)}") from error


def ensure(cluster: Cluster, sealer: Sealer, root: RootCredentials, sources: Sources, region: str) -> None:
    """The same on any control plane that takes commands."""
    _install_root(cluster, sealer, root, sources)
    KmsKeys(desk(cluster, sources), sealer.seal_material, region).ensure()


def _install_root(cluster: Cluster, sealer: Sealer, root: RootCredentials, sources: Sources) -> None:
    """Keys of earlier starts stop working, unless the credentials are the same; then added ones stay too. What was
    restored has the keys its backup has: only credentials that the settings give take their place."""
    account = next((a for a in cluster.state().accounts.values() if a.root), None)
    if account is not None and cluster.state().restored and not root.given:
        return
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


def _in_force(cluster: Cluster, sealer: Sealer, root: RootCredentials) -> RootCredentials:
    """What was restored has a root of its own; its secret is known to whoever made the backup."""
    account = next(one for one in cluster.state().accounts.values() if one.root)
    if _has_credentials(account, sealer, root):
        return root
    key = next((one for one in account.keys if one.active), account.keys[0])
    return RootCredentials(key.access_key, sealer.unseal(key.access_key, key.sealed_secret))


def _has_credentials(account: Account, sealer: Sealer, root: RootCredentials) -> bool:
    key = next((one for one in account.keys if one.access_key == root.access_key and one.active), None)
    return key is not None and sealer.unseal(key.access_key, key.sealed_secret) == root.secret_key
