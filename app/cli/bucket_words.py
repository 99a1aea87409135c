"""The words of `zapfs admin` for buckets. Asked of a gateway's operations face; of one machine, of its admin face."""

from collections.abc import Mapping
from typing import Final

from app.cli.words import Word, chosen

_PROFILE: Final = "/v1/buckets/{bucket}/profile"

BUCKET_WORDS: Final[Mapping[str, Word]] = {
    "list": Word(
        "each with what it holds",
        "GET",
        "/v1/buckets",
        columns=("name", "owner", "objects", "bytes", "part_bytes", "created"),
    ),
    "show": Word("one with what it holds and may", "GET", "/v1/buckets/{bucket}", ("bucket",)),
    "profile": Word("the class its STANDARD writes are kept as", "GET", _PROFILE, ("bucket",)),
    "put-profile": Word(
        "choose that class", "PUT", _PROFILE, ("bucket", "storage_class"), content=chosen("storage_class")
    ),
    "delete-profile": Word("STANDARD is itself again", "DELETE", _PROFILE, ("bucket",)),
}
