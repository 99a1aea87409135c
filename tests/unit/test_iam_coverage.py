"""docs/iam-coverage.md says which actions of IAM's service model work; it is generated and may not go stale.

Write it anew: `.venv/bin/python -m tests.unit.test_iam_coverage`.
"""

from pathlib import Path

import botocore.session

from app.faces.http.query.iam.table import DONE, REFUSED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "iam-coverage.md"
NAMES = frozenset(botocore.session.get_session().get_service_model("iam").operation_names)
HEAD = """# IAM actions

Generated from `app/faces/http/query/iam/table.py` against botocore's service model; a test keeps it true.
**works**: answered as IAM does, and it acts. refused: 501 NotImplemented, with a message that names the action. Design:
[iam-api](design/iam-api.md).

| action | state |
|---|---|
"""
NOTES = {
    "GetAccessKeyLastUsed": "tells whose a key is; when it was used is not kept",
    "ListAccountAliases": "there are none",
    "ListInstanceProfilesForRole": "there are none",
}


def page() -> str:
    """The whole page."""
    states = {name: "**works**" if name in DONE else "refused" for name in NAMES}
    rows = [
        f"| {name} | {': '.join(filter(None, (state, NOTES.get(name))))} |" for name, state in sorted(states.items())
    ]
    return HEAD + "\n".join(rows) + f"\n\n{len(DONE)} of {len(NAMES)} work, {len(REFUSED)} are refused.\n"


def test_every_action_of_the_service_model_is_classified_once() -> None:
    assert not DONE.keys() & REFUSED
    assert DONE.keys() | REFUSED == NAMES


def test_the_page_of_coverage_says_what_the_table_says() -> None:
    assert PAGE.read_text() == page()


if __name__ == "__main__":
    PAGE.write_text(page())
