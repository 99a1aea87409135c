"""What holds for every test: in CI a skipped test is a failed run, because it proved nothing; and tests that share what
their module started run in one process, or it would be started in each.
"""

import os
from typing import Any

import pytest


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests of a module that share a fixture of its scope, unless they are grouped already."""
    for item in items:
        shared = (made[-1] for made in getattr(item, "_fixtureinfo").name2fixturedefs.values())  # noqa: B009 -- pytest has no other way
        if any(one.scope == "module" for one in shared) and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a green run with skips into a red one when SKIPS_FAIL is set."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("SKIPS_FAIL") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("skipped tests count as failed here (SKIPS_FAIL)", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
