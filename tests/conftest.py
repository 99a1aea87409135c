"""What holds for every test: in CI a skipped test is a failed run, because it proved nothing; and tests that share what
takes long to start run in one process, or it would be started in each.
"""

import os
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

_SHARING = ("tests/integration/", "tests/chaos/test_cluster.py")


class BySharing(LoadScopeScheduling):
    """Hands tests to processes one by one, but together those of a module that starts servers, and those
    on one MariaDB."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        if module.startswith(_SHARING):
            return module
        return next((server for server in ("mysql", "mariadb") if server in nodeid), nodeid)


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Ours; the groups xdist knows itself are lost under this pytest."""
    return BySharing(config, log)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a green run with skips into a red one when SKIPS_FAIL is set."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("SKIPS_FAIL") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("skipped tests count as failed here (SKIPS_FAIL)", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
