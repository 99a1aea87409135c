"""ceph/s3-tests' test_iam.py: `python -m tests.integration.s3_tests_iam SUITE` prints a line for each test that fails.

Runs on a copy of the suite in which ARNs have accounts, as for test_sts (tests/integration/s3_tests_sts.py), and with a
second identity that is a user of the first's account. Nothing of what a test does or expects is changed.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.integration.s3_tests import IDENTITIES, RUN_SECONDS_MAX, environment
from tests.integration.s3_tests_selection import LEFT_OUT
from tests.integration.s3_tests_sts import ACCOUNT_IDS, IAM_ACCOUNT, configuration, seed, translated
from tests.integration.server import Server, clean_environment, temporary_directory
from tests.issuer import Issuer

TEST = "s3tests/functional/test_iam.py"
SCHEME = "the URL of a provider is told without its scheme, as AWS tells it; the suite wants it back as it was given"
BOTH = (
    "a role of another account needs the taker's own account to allow it too, as on AWS; the suite's user has no policy"
)
DIFFERENT = {
    "test_account_oidc_provider": SCHEME,
    "test_verify_add_new_client_id_to_oidc": SCHEME,
    "test_same_account_role_policy_allow": BOTH,
    "test_cross_account_role_policy_allow": BOTH,
    "test_account_role_policy_allow_create_bucket": BOTH,
    "test_account_role_policy_allow_get_role": BOTH,
    "test_account_managed_group_policy_allow": (
        "the test before it leaves its user in a group, and such a user is not deleted, as on AWS"
    ),
}
"""Tests that fail because this store and the suite read AWS differently, and in what."""


def accounts() -> str:
    """The accounts of test_sts; the suite takes the id of an account for its canonical id, too."""
    text = seed()
    for name, account_id in ACCOUNT_IDS.items():
        canonical = f'canonical_id = "{IDENTITIES[name][3] * 64}"'
        assert canonical in text
        shown = f'display_name = "{name}"\nemail = "{name}@example.com"'
        text = text.replace(canonical, f'canonical_id = "{account_id}"\n{shown}')
    return text


def run(suite: Path, root: Path, select: str) -> Path:
    """Run the tests against a server started for them; the report."""
    report = root / "report.xml"
    with Issuer() as issuer:
        (root / "iam.toml").write_text(accounts())
        (root / "iam.toml").chmod(0o600)
        copy = translated(suite.resolve(), root, issuer)
        source = (suite / TEST).read_text()
        (copy / TEST).write_text(source.replace("arn:aws:iam:::", f"arn:aws:iam::{IAM_ACCOUNT}:"))
        told = {"ZAPFS_IAM_SEED": str(root / "iam.toml")}
        options = ["--regions", "default", "--object-ownership", "ObjectWriter", "--block-public-access", "false"]
        # The suite uses what it made without giving other workers the second they are promised.
        settings = {"dev": True, "workers": 1, "arguments": options, "environment": told}
        with Server(root / "data", **settings) as server:
            (root / "s3tests.conf").write_text(configuration(server.s3_port, issuer))
            command = [str(environment(suite)), "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST, "-k", select]
            command += ["-m", " and ".join(f"not {marker}" for marker in LEFT_OUT)]
            command += ["--timeout", "120", "--tb", "short", f"--junitxml={report}"]
            with_its_own = clean_environment(S3TEST_CONF=str(root / "s3tests.conf"), S3_USE_SIGV4="1")
            subprocess.run(command, cwd=copy, env=with_its_own, timeout=RUN_SECONDS_MAX, check=False)
    return report


def main() -> int:
    """0 when everything passes, but for DIFFERENT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", type=Path)
    parser.add_argument("--select", default="", help="only tests pytest's -k selects")
    options = parser.parse_args()
    with temporary_directory() as root:
        cases = list(ElementTree.parse(run(options.suite, root, options.select)).iter("testcase"))
    failed = set()
    for case in cases:
        name = case.get("name", "")
        bad = next((one for one in case if one.tag in ("failure", "error", "skipped")), None)
        if bad is not None:
            failed.add(name)
            why = DIFFERENT.get(name) or (bad.get("message") or "").strip().partition("\n")[0][:160]
            print(f"{bad.tag:8}{name}: {why}")
    print(f"{len(cases) - len(failed)} of {len(cases)} pass")
    return 1 if failed - set(DIFFERENT) or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
