"""What the front door hands to the processes it starts, through an inherited file in memory.

Knows the form. A command line or an environment would show secrets to every process of the machine or the user's shell;
an anonymous file with its descriptor passed on shows them to the children only.
"""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.config import Settings
from app.core.errors import Unavailable

VARIABLE = "_ZAPFS_HANDOVER"
DATA = "data"
MANAGER = "manager"
GATEWAY = "metadata"
GATEWAY_KEEPER = "metadata-keeper"
HOST = "file"
HOST_KEEPER = "file-keeper"
MANAGER_CORE = "manager-core"
MANAGER_ADMIN = "manager-admin"
BUILDERS: Final[Mapping[str, str]] = {
    DATA: "roles.all",
    MANAGER: "roles.manager",
    GATEWAY: "roles.metadata",
    GATEWAY_KEEPER: "roles.metadata_keeper",
    HOST: "roles.file",
    HOST_KEEPER: "roles.file_keeper",
    MANAGER_ADMIN: "roles.manager_admin",
}
"""The module whose `build` makes the application of a role's worker."""
MANY: Final = frozenset({DATA, GATEWAY, HOST})
"""Roles with `Settings.workers` workers; the others have exactly one."""
_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Handover:
    """`role`: a key of BUILDERS. `master_keys`: the first seals, each opens; a file host has none. `listener`:
    descriptor of the listening socket. `parent`: the front door's process id.
    `s3_port`, `admin_port`: the ports in use, also where the setting left them to the system: of a gateway its S3 and
    its operations, of a file host its blob routes and its operations."""

    role: str
    settings: Settings
    master_keys: tuple[bytes, ...] = field(repr=False)
    listener: int
    parent: int
    s3_port: int
    admin_port: int


def write(handover: Handover) -> int:
    """A descriptor to inherit, to be named by VARIABLE in the child's environment."""
    plain = {
        "role": handover.role,
        "settings": handover.settings.plain(),
        "master_keys": [base64.b64encode(key).decode() for key in handover.master_keys],
        "listener": handover.listener,
        "parent": handover.parent,
        "s3_port": handover.s3_port,
        "admin_port": handover.admin_port,
    }
    fd = os.memfd_create("zapfs-handover")
    os.write(fd, json.dumps(plain).encode())
    return fd


def read() -> Handover:
    """Read as often as wanted. Raises Unavailable when no front door started this process."""
    try:
        plain = json.loads(os.pread(int(os.environ[VARIABLE]), _BYTES_MAX, 0))
    except (KeyError, ValueError, OSError) as error:
        raise Unavailable("these processes are started by `zapfs`, which hands them their settings") from error
    return Handover(
        role=plain["role"],
        settings=Settings.from_plain(plain["settings"]),
        master_keys=tuple(base64.b64decode(key) for key in plain["master_keys"]),
        listener=plain["listener"],
        parent=plain["parent"],
        s3_port=plain["s3_port"],
        admin_port=plain["admin_port"],
    )
