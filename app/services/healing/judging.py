"""How redundant a blob is, given where its fragments are. Pure.

Knows the words of the ledger. Source of the levels: app/core/layout/reports.LedgerReport.
"""

from collections.abc import Sequence
from typing import Final

from app.core import cluster_limits
from app.core.layout.blob_ids import placed_ms
from app.core.layout.profiles import Profile
from app.core.types import BlobId
from app.services.healing.whereabouts import Sighting

FULL: Final = "full"
REDUCED: Final = "reduced"
CRITICAL: Final = "critical"
LOST: Final = "lost"

CLOCKS_APART_MS: Final = 600_000
"""A date from further ahead than this, an id's above all, was told by a wrong clock, and tells nothing of its age."""


def homes_of(profile: Profile, homes: Sequence[int]) -> list[tuple[int, int]]:
    """(index, device) for every fragment of a blob of the profile."""
    return [(index, homes[index % len(homes)]) for index in range(profile.width)] if homes else []


def level(profile: Profile, homes: Sequence[int], sighting: Sighting, *, everybody_answered: bool) -> str:
    """full, reduced, critical or lost.

    Lost is said only where no device is left that might hold more: before that too few seen is critical.
    """
    if homes and all(sighting.holds(index, device) for index, device in homes_of(profile, homes)):
        return FULL
    if sighting.distinct > profile.needed:
        return REDUCED
    return LOST if sighting.distinct < profile.needed and everybody_answered else CRITICAL


def is_settling(blob_id: BlobId, now_ms: int) -> bool:
    """Whether the blob is so young that its writer may still be at work: not judged yet."""
    age_ms = now_ms - placed_ms(blob_id)
    return -CLOCKS_APART_MS < age_ms < cluster_limits.HEAL_SETTLE_SECONDS * 1000


def is_debris(blob_id: BlobId, now_ms: int) -> bool:
    """Whether a blob with too few fragments is likelier what a writer left that gave up than something lost.

    Nobody ever got an acknowledgement for fewer than a quorum, and what nobody refers to is collected by this age.
    """
    age_ms = now_ms - placed_ms(blob_id)
    return -CLOCKS_APART_MS < age_ms < cluster_limits.HEAL_DEBRIS_SECONDS * 1000
