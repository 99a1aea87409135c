"""docs/s3-coverage.md says which operations of S3's service model work; it is generated and may not go stale.

Write it anew: `.venv/bin/python -m tests.unit.test_s3_coverage`.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import botocore.session

from app.core.s3 import operations_table as table
from app.faces.http.s3.table import UseCases, handlers

PAGE = Path(__file__).resolve().parents[2] / "docs" / "s3-coverage.md"
NAMES = botocore.session.get_session().get_service_model("s3").operation_names

HEAD = """# S3 operations

Generated from `app/core/s3/operations_table.py` against botocore's service model; a test keeps it true.
**works**: answered as S3 does, and it acts. stored only: checked, kept and given back as S3 does, and nothing here acts
on it. refused: 501 NotImplemented, with a message that names the operation. Nothing is accepted and ignored, and a
sub-resource nobody knows is refused as well.

| operation | state |
|---|---|
"""

NOTES = {
    "GetBucketAccelerateConfiguration": "there is no faster way than the one there is",
    "ListDirectoryBuckets": "there are no directory buckets",
    "WriteGetObjectResponse": "there are no object lambdas",
}


def state(name: str) -> str:
    """What becomes of an operation. KeyError for one nobody classified."""
    if name in table.OLDER_NAMES:
        return f"{state(table.OLDER_NAMES[name])}, as {table.OLDER_NAMES[name]}"
    if name in table.STORED_ONLY:
        return "stored only"
    if name in table.WORKS:
        return "**works**"
    if name in table.REFUSED or name in table.OTHER_KINDS:
        return "refused"
    raise KeyError(name)


def page() -> str:
    """The whole page."""
    rows = [f"| {name} | {': '.join(filter(None, (state(name), NOTES.get(name))))} |" for name in sorted(NAMES)]
    counts = Counter(state(name).partition(",")[0] for name in NAMES)
    told = f"{counts['**works**']} of {len(NAMES)} work, {counts['stored only']} are stored only"
    return HEAD + "\n".join(rows) + f"\n\n{told}, {counts['refused']} are refused.\n"


def test_every_operation_of_the_service_model_is_classified_once() -> None:
    assert len(NAMES) == 116
    assert all(state(name) for name in NAMES)
    assert not table.WORKS & table.REFUSED
    assert table.STORED_ONLY <= table.WORKS
    assert set(table.OLDER_NAMES.values()) <= table.WORKS


def test_the_page_of_coverage_says_what_the_table_says() -> None:
    assert PAGE.read_text() == page()


def test_nothing_works_that_the_service_model_does_not_know() -> None:
    beside = table.PREFLIGHTS | {"PostObject"}
    assert set(NAMES) | beside >= table.WORKS


class Anything:
    """Stands for every use case while nothing is asked of it: only names are looked at."""

    def __getattr__(self, name: str) -> "Anything":
        return self

    def __iter__(self) -> Iterator[str]:
        return iter(())


def test_every_operation_that_works_has_its_handler_and_no_other_has_one() -> None:
    assert set(handlers(cast(UseCases, Anything()))) == table.WORKS


if __name__ == "__main__":
    PAGE.write_text(page())
