"""What opens and seals the control state as a whole: its backups, and its secrets under the master keys.

Knows which bricks these stand on. Must not know faces or schedules (control_backups.py).
"""

from collections.abc import Callable

from app.adapters.cluster.backup_form import BackupForm, size_of
from app.adapters.cluster.sealing import Sealer, key_named
from app.services.control.backups import Backups, Form
from app.services.control.master_key import MasterKey, Seals
from app.services.identity.commanding import Desk
from roles import credentials
from roles.data_dir import DataDir


def keys_of(desk: Desk, sealer: Sealer, directory: DataDir) -> MasterKey:
    """What knows under which master key things are, those of this node's own data directory too."""
    seals = Seals(
        sealer.seal,
        sealer.unseal,
        sealer.seal_material,
        sealer.open_material,
        key_named,
        lambda: sealer.key_ids,
    )
    return MasterKey(desk, seals, lambda: credentials.reseal_root(directory, sealer))


def backups_of(desk: Desk, sealer: Sealer, key: MasterKey, owns: Callable[[str], bool] = lambda _: False) -> Backups:
    """The use cases of backup and restore. `owns`: as of Backups."""
    form = BackupForm(sealer)
    return Backups(desk, Form(form.sealed, form.opened, size_of), key.unopened, owns)
