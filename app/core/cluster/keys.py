"""The keyring's keys as the control state holds them: sealed material, versions and states.

Knows values and names only. Material is sealed under the master key (app/adapters/cluster/sealing.py); what is
encrypted with it is app/services/keyring's. Source: https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html
"""

from dataclasses import dataclass
from typing import Final

ENABLED: Final = "Enabled"
DISABLED: Final = "Disabled"
PENDING_DELETION: Final = "PendingDeletion"
SSE_S3_KEY: Final = "aws/s3"
"""Key id of SSE-S3's own key. No client names it and it is never disabled."""
DEFAULT_KMS_ALIAS: Final = "alias/aws/s3"
"""Alias of the key SSE-KMS takes when the request names none, as on AWS."""


@dataclass(frozen=True, slots=True)
class KmsKey:
    """`versions`: sealed 32-byte materials, newest last; a version's number is its place, from 0, and never moves.
    `arn`: arn:aws:kms:REGION:ACCOUNT:key/ID. `aliases` begin with "alias/". `deletion_ms`: when a key that is
    PendingDeletion may go, else 0; nothing removes it before somebody does.
    """

    key_id: str
    arn: str
    created_ms: int
    versions: tuple[bytes, ...]
    aliases: tuple[str, ...] = ()
    description: str = ""
    state: str = ENABLED
    deletion_ms: int = 0

    @property
    def enabled(self) -> bool:
        """Whether it may encrypt and decrypt."""
        return self.state == ENABLED


def plain_name(named: str) -> str:
    """The key id or alias behind what a client names: an id, an alias, or the ARN of either."""
    if named.startswith("arn:"):
        resource = named.split(":", 5)[-1]
        return resource.removeprefix("key/")
    return named
