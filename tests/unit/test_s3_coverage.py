"""docs/s3-coverage.md says which operations of S3's service model work; it is generated and may not go stale.

Write it anew: `.venv/bin/python -m tests.unit.test_s3_coverage`.
"""

from pathlib import Path

import botocore.session

from app.core.s3 import operations_table as table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "s3-coverage.md"

HEAD = """# S3 operations

Generated from `app/core/s3/operations_table.py` against botocore's service model; a test keeps it true.
**works**: answered as S3 does. **refused**: 501 NotImplemented, with a message that names the operation. Nothing is
accepted and ignored, and a sub-resource nobody knows is refused as well.

What works is that of a bucket without versioning: `versionId` is `null` or refused, GetBucketVersioning answers that
there never was any, ListObjectVersions lists null versions, and the ACLs shown grant the owner full control, which is
the truth.

| operation | state |
|---|---|
"""


def page() -> str:
    """The whole page."""
    names = botocore.session.get_session().get_service_model("s3").operation_names
    rows = [f"| {name} | {'**works**' if name in table.WORKS else 'refused'} |" for name in sorted(names)]
    return HEAD + "\n".join(rows) + f"\n\n{len(table.WORKS)} of {len(names)} work.\n"


def test_the_page_of_coverage_says_what_the_table_says() -> None:
    assert PAGE.read_text() == page()


def test_nothing_works_that_the_service_model_does_not_know() -> None:
    names = botocore.session.get_session().get_service_model("s3").operation_names
    assert set(names) >= table.WORKS


if __name__ == "__main__":
    PAGE.write_text(page())
