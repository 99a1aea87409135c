"""`make s3-tests SUITE=path/to/checkout`: ceph/s3-tests against a server started for it, and a table by family.

Starts a server, makes the identities the suite wants, writes its configuration, runs the tests that belong to this
release in a virtual environment of the suite's own, and writes docs/s3-tests.md. The suite is never part of this
repository.
"""

import argparse
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from tests.integration.s3_tests_selection import DIFFERENT, family_of, select
from tests.integration.server import ROOT, Server, clean_environment, temporary_directory

VENV = ROOT / ".venv/s3-tests"
RUN_SECONDS_MAX = 3600
IDENTITIES = {
    "main": ("s3 main", "0555b35654ad1656d804", "h7GhxuBLTrlhVUyxSPUKUV8r/2EI4ngqJxD7iBdBYLhwluN30JaT3Q==", "a"),
    "alt": ("s3 alt", "NOPQRSTUVWXYZABCDEFG", "nopqrstuvwxyzabcdefghijklmnabcdefghijklm", "b"),
    "tenant": ("s3 tenant", "HIJKLMNOPQRSTUVWXYZA", "opqrstuvwxyzabcdefghijklmnopqrstuvwxyzab", "c"),
    "iam": ("iam", "ABCDEFGHIJKLMNOPQRST", "abcdefghijklmnopqrstuvwxyzabcdefghijklmn", "d"),
    "iamroot": ("iam root", "AAAAAAAAAAAAAAAAAAaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "e"),
    "iamaltroot": ("iam alt root", "BBBBBBBBBBBBBBBBBBbb", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "f"),
}
"""Account name -> section of the configuration, access key, secret, and the hex digit its canonical id is made of."""
KMS_KEYS = ("testkey-1", "testkey-2")
STORAGE_CLASSES = ("LUKEWARM", "FROZEN")
LIFECYCLE_DAY_SECONDS = 10
ARGUMENTS = (
    *("--regions", "default", "--object-ownership", "ObjectWriter", "--block-public-access", "false"),
    *("--storage-classes", ",".join(("STANDARD", "STANDARD_IA", "GLACIER", *STORAGE_CLASSES))),
    *("--lifecycle-day-s", str(LIFECYCLE_DAY_SECONDS), "--lifecycle-interval-s", "1"),
    *("--transition-bytes-min", "0", "--access-log-roll-s", "5"),
)
"""What the suite expects of new buckets is what S3 gave them before 2023."""


OTHER_RUNS = (
    "## Temporary credentials",
    "",
    "`python -m tests.integration.s3_tests_sts SUITE --all` runs `test_sts.py` on a server of its own, from a",
    "copy that speaks as AWS where the suite speaks as its reference server (that file lists what is written",
    "otherwise): ids of accounts in ARNs, no principals in identity policies, providers with audiences. 9 of 9",
    "tests that need no Keycloak pass; one of them waits a quarter of an hour for a session to end. Of those that",
    "want Keycloak, 21 of 24 pass with our own issuer in its place; the three want that server's own:",
    "`aws:TagKeys` that are a session's tags, `s3:ResourceTag`, and a tag of several values. Three more of the",
    "latter kind are not run.",
    "",
    "## IAM",
    "",
    "`python -m tests.integration.s3_tests_iam SUITE` runs `test_iam.py` on a server of its own, with ids of accounts",
    "written into the ARNs of the suite's first half. Five tests are not run: the suite marks them as failed by",
    "AWS or by its reference server.",
    "",
    "| family | passed | failed | skipped |",
    "|---|---|---|---|",
    "| IAM | 78 | 7 | 0 |",
    "",
    "- `test_same_account_role_policy_allow`, `test_cross_account_role_policy_allow`,",
    "  `test_account_role_policy_allow_create_bucket`, `test_account_role_policy_allow_get_role`: a role of",
    "  another account needs the taker's own account to allow it too, as on AWS; the suite's user has no policy",
    "- `test_account_oidc_provider`, `test_verify_add_new_client_id_to_oidc`: the URL of a provider is told",
    "  without its scheme, as AWS tells it",
    "- `test_account_managed_group_policy_allow`: the test before it leaves its user in a group, and such a user",
    "  is not deleted, as on AWS",
)
"""What is run by a command of its own."""


MAIN = (
    f"api_name = default\nstorage_classes = {', '.join(STORAGE_CLASSES)}\nlc_debug_interval = {LIFECYCLE_DAY_SECONDS}\n"
)
"""What the suite asks of its main identity alone."""


def key_arns(server: Server) -> str:
    """The lines that name the keys for SSE-KMS, by ARN: so answers name them, whatever they were asked by."""
    shown = server.admin("kms", "list")
    first, second = (next(iter(re.findall(rf"arn:aws:kms:\S+:key/{key_id}\b", shown))) for key_id in KMS_KEYS)
    return f"kms_keyid = {first}\nkms_keyid2 = {second}\n"


def configuration(port: int, keys: str = "") -> str:
    """The suite's configuration for a server on this port."""
    text = f"[DEFAULT]\nhost = localhost\nport = {port}\nis_secure = False\nssl_verify = False\n"
    text += "[fixtures]\nbucket prefix = zapfs-{random}-\niam name prefix = s3-tests-\niam path prefix = /s3-tests/\n"
    for name, (section, access_key, secret_key, digit) in IDENTITIES.items():
        text += (
            f"[{section}]\ndisplay_name = {name}\nuser_id = {digit * 64}\nemail = {name}@example.com\n"
            f"access_key = {access_key}\nsecret_key = {secret_key}\n"
        )
        text += {"main": MAIN + keys, "tenant": "tenant = testx\n"}.get(name, "")
    return text


def make_accounts(server: Server) -> None:
    """Create every identity on a running server, and the keys SSE-KMS is asked for."""
    for name, (_, access_key, secret_key, digit) in IDENTITIES.items():
        keys = ["--access-key", access_key, "--secret-key", secret_key]
        shown = ["--canonical-id", digit * 64, "--display-name", name, "--email", f"{name}@example.com"]
        server.admin("account", "create", name, *keys, *shown)
    for key_id in KMS_KEYS:
        server.admin("kms", "create", "--key-id", key_id)
    time.sleep(1.1)


def environment(suite: Path) -> Path:
    """The suite's own virtual environment, made at the first run; its Python."""
    python = VENV / "bin/python"
    if not (VENV / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        wanted = ["-r", str(suite / "requirements.txt"), "pytest-timeout"]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True)
        (VENV / "done").touch()
    return python


def run_suite(suite: Path, server: Server, tests: list[str], root: Path) -> Mapping[str, tuple[str, str]]:
    """Run the tests; name -> (passed | failed | skipped, first line of the reason)."""
    (root / "s3tests.conf").write_text(configuration(server.s3_port, key_arns(server)))
    (root / "tests").write_text("\n".join(tests))
    report = root / "report.xml"
    command = [str(environment(suite)), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "120"]
    command += ["--tb", "short", f"--junitxml={report}", f"@{root / 'tests'}"]
    settings = clean_environment(S3TEST_CONF=str(root / "s3tests.conf"), S3_USE_SIGV4="1")
    subprocess.run(command, cwd=suite, env=settings, timeout=RUN_SECONDS_MAX, check=False)
    outcomes: dict[str, tuple[str, str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name, bad = (
            case.get("name", ""),
            next((one for one in case if one.tag in ("failure", "error", "skipped")), None),
        )
        if bad is None:
            outcomes.setdefault(name, ("passed", ""))
        else:
            why = (bad.get("message") or "").strip().splitlines()
            outcomes[name] = ("skipped" if bad.tag == "skipped" else "failed", why[0][:160] if why else "")
    return outcomes


def commit_of(checkout: Path) -> str:
    """The short commit id of a git checkout, or "unknown"."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def _not_passed(outcomes: Mapping[str, tuple[str, str]]) -> list[str]:
    return [name for name, (outcome, _) in outcomes.items() if outcome != "passed"]


def page(suite: Path, outcomes: Mapping[str, tuple[str, str]], left_out: int) -> str:
    """The table by family and the list of what does not pass."""
    families: dict[str, Counter[str]] = defaultdict(Counter)
    for name, (outcome, _) in outcomes.items():
        families[family_of(name)][outcome] += 1
    lines = ["# ceph/s3-tests", "", f"`make s3-tests SUITE=path/to/checkout`, the suite at {commit_of(suite)}.", ""]
    functions, failing = ({name.partition("[")[0] for name in names} for names in (outcomes, _not_passed(outcomes)))
    lines += [
        f"{len(outcomes) - len(_not_passed(outcomes))} of {len(outcomes)} cases pass, "
        f"{len(functions) - len(failing)} of {len(functions)} test functions. {left_out} functions are not run: by the",
        "suite's own markers AWS or its reference server fails them, or they are about that server's extensions",
        "(tests/integration/s3_tests_selection.py).",
        "",
    ]
    lines += ["| family | passed | failed | skipped |", "|---|---|---|---|"]
    for family, counts in [*sorted(families.items()), ("all", sum(families.values(), Counter()))]:
        lines.append(f"| {family} | {counts['passed']} | {counts['failed']} | {counts['skipped']} |")
    bad = sorted(
        (name, DIFFERENT.get(name, why) if outcome == "failed" else f"skipped: {why}")
        for name, (outcome, why) in outcomes.items()
        if outcome != "passed"
    )
    lines += ["", "## What does not pass", "", *(f"- `{name}`: {why}" for name, why in bad), "", *OTHER_RUNS]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run and write the page; 0 when everything selected passed, but for DIFFERENT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", type=Path)
    parser.add_argument("--select", default="", help="only tests whose name holds this")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/s3-tests.md")
    parser.add_argument("--keep-log", type=Path)
    options = parser.parse_args()
    reasons = select(options.suite)
    tests = [node for node, reason in reasons.items() if not reason and options.select in node]
    if not tests:
        parser.error("no test is selected")  # an empty list would be the whole suite to pytest
    with temporary_directory() as root:
        with Server(root / "data", dev=True, arguments=list(ARGUMENTS)) as server:
            make_accounts(server)
            outcomes = run_suite(options.suite.resolve(), server, tests, root)
            if options.keep_log:
                options.keep_log.write_bytes(server.log_path.read_bytes())
            server.stop()
        text = page(options.suite, outcomes, sum(1 for reason in reasons.values() if reason))
    print(text)
    if not options.select:
        options.output.write_text(text)
    failed = {name for name, (outcome, _) in outcomes.items() if outcome == "failed"}
    return 1 if failed - set(DIFFERENT) or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
