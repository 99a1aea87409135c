"""ceph/s3-tests' test_sts.py: `python -m tests.integration.s3_tests_sts SUITE` prints a line for each test.

The suite speaks to its reference server, which has no ids of accounts in ARNs, users named by canonical ids, identity
policies with principals, providers without audiences, and a name of its own for the audience of a token. So what is run
is a copy in which these are written as AWS has them; nothing of what a test does or expects is changed. The tests that
want Keycloak run against tests/issuer.py, which plays it; they are counted apart. One test waits fifteen minutes for a
session to end: it runs with --all.
"""

import argparse
import ast
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

from tests.integration.s3_tests import IDENTITIES, RUN_SECONDS_MAX, environment
from tests.integration.server import Server, clean_environment, temporary_directory
from tests.issuer import Issuer

TEST = "s3tests/functional/test_sts.py"
REALM = "demo"
IAM_ACCOUNT, ROOT_ACCOUNT, OTHER_ROOT_ACCOUNT = "111122223333", "222233334444", "333344445555"
ACCOUNT_IDS = {"iam": IAM_ACCOUNT, "iamroot": ROOT_ACCOUNT, "iamaltroot": OTHER_ROOT_ACCOUNT}
USERS = ("main", "alt")
FULL = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
SLOW = "test_assume_role_creds_expiry"
WEB = "webidentity_test"
MANY_VALUED = tuple(
    f"test_assume_role_with_web_identity_{name}"
    for name in ("for_all_values_deny", "resource_tag", "role_resource_tag")
)
"""Not run: they want tags with several values, which AWS refuses; and they leave behind what the next ones make."""
TRANSLATED = (
    (r"arn:aws:iam:::assumed-role", f"arn:aws:sts::{IAM_ACCOUNT}:assumed-role"),
    (r"arn:aws:iam:::", f"arn:aws:iam::{IAM_ACCOUNT}:"),
    (r"arn:aws:sts:::", f"arn:aws:sts::{IAM_ACCOUNT}:"),
    (r'\\?"Principal\\?":\\?"\*\\?",(?=\\?"Resource)', ""),
    (r"ThumbprintList=\[", "ClientIDList=['app'],ThumbprintList=["),
    (r"clientids = \[\]", "clientids = ['app']"),
    (r":app_id", ":aud"),
    (r"'region_name', ''", "'region_name', 'default'"),
    (r"region_name=''", "region_name='default'"),
    (r"e\.response\['Code'\]", "e.response['Error']['Code']"),
)
"""Patterns, and what stands in their place: see above."""


def seed() -> str:
    """The accounts the suite wants; USERS are users of the account whose roles they take."""
    lines = []
    for name in [one for one in IDENTITIES if one not in USERS]:
        _, access_key, secret_key, digit = IDENTITIES[name]
        own = f'access_key = "{access_key}"\nsecret_key = "{secret_key}"\ncanonical_id = "{digit * 64}"'
        number = f'account_id = "{ACCOUNT_IDS[name]}"\n' if name in ACCOUNT_IDS else ""
        lines.append(f'[[account]]\nname = "{name}"\n{own}\n{number}')
        for user in USERS if name == "iam" else ():
            _, access_key, secret_key, digit = IDENTITIES[user]
            keys = f'access_key = "{access_key}", secret_key = "{secret_key}"'
            lines.append(f'[[account.user]]\nname = "{digit * 64}"\nkeys = [{{ {keys} }}]\nattached = ["{FULL}"]')
    return "\n".join(lines)


def configuration(port: int, issuer: Issuer) -> str:
    """The suite's configuration."""
    text = f"[DEFAULT]\nhost = localhost\nport = {port}\nis_secure = False\nssl_verify = False\n"
    text += "[fixtures]\nbucket prefix = zapfs-{random}-\niam name prefix = s3-tests-\niam path prefix = /s3-tests/\n"
    for name, (section, access_key, secret_key, digit) in IDENTITIES.items():
        user_id = ACCOUNT_IDS.get(name, digit * 64)
        text += f"[{section}]\ndisplay_name = {name}\nuser_id = {user_id}\nemail = {name}@example.com\n"
        text += f"access_key = {access_key}\nsecret_key = {secret_key}\n"
        text += {"main": "api_name = default\n", "tenant": "tenant = testx\n"}.get(name, "")
    tags = {"principal_tags": {"Department": ["Engineering"]}}
    claims = {"azp": "app", "aud": "app", "exp": int(time.time()) + RUN_SECONDS_MAX}
    tagged = issuer.token(**claims, **{"https://aws.amazon.com/tags": tags})
    told = {"token": issuer.token(**claims), "user_token": tagged, "thumbprint": "0" * 40}
    told |= {"aud": "app", "sub": "ann", "azp": "app", "KC_REALM": REALM}
    return text + "[webidentity]\n" + "".join(f"{name} = {value}\n" for name, value in told.items())


def translated(suite: Path, root: Path, issuer: Issuer) -> Path:
    """A copy of the suite that speaks of accounts, and of this issuer."""
    copy = root / "suite"
    shutil.copytree(suite, copy, ignore=shutil.ignore_patterns(".git"))
    for file in (copy / "s3tests/functional").glob("*.py"):
        text = file.read_text().replace("localhost:8080/auth/realms", issuer.name.rpartition("/")[0])
        for pattern, instead in TRANSLATED:
            text = re.sub(pattern, lambda _, instead=instead: instead, text)
        file.write_text(text)
    return copy


def main() -> int:
    """0 when what needs no Keycloak passes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", type=Path)
    parser.add_argument("--all", action="store_true", help=f"{SLOW} too")
    options = parser.parse_args()
    with temporary_directory() as root, Issuer() as issuer:
        (root / "iam.toml").write_text(seed())
        (root / "iam.toml").chmod(0o600)
        suite = translated(options.suite.resolve(), root, issuer)
        told = {"ZAPFS_IAM_SEED": str(root / "iam.toml")}
        # The suite uses what it made without giving other workers the second they are promised.
        settings = {"dev": True, "workers": 1, "arguments": ["--regions", "default"], "environment": told}
        with Server(root / "data", **settings) as server:
            (root / "s3tests.conf").write_text(configuration(server.s3_port, issuer))
            report = root / "report.xml"
            left_out = MANY_VALUED if options.all else (*MANY_VALUED, SLOW)
            names = [one.name for one in ast.parse((suite / TEST).read_text()).body if isinstance(one, ast.FunctionDef)]
            tests = [f"{TEST}::{name}" for name in names if name.startswith("test_") and name not in left_out]
            command = [str(environment(options.suite)), "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
            command += ["--timeout", "1000", "--tb", "short", f"--junitxml={report}"]
            with_its_own = clean_environment(S3TEST_CONF=str(root / "s3tests.conf"), S3_USE_SIGV4="1")
            subprocess.run(command, cwd=suite, env=with_its_own, timeout=RUN_SECONDS_MAX, check=False)
        return told_of(report, suite)


def told_of(report: Path, suite: Path) -> int:
    """Print what passed; 1 when something did not that needs no Keycloak."""
    source = (suite / TEST).read_text()
    web = set(re.findall(rf"@pytest\.mark\.{WEB}\n(?:@.*\n)*def (\w+)", source))
    counts = {"without Keycloak": [0, 0], "with an issuer in its place": [0, 0]}
    failed = False
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name", "")
        bad = next((one for one in case if one.tag in ("failure", "error", "skipped")), None)
        family = "with an issuer in its place" if name in web else "without Keycloak"
        counts[family][0] += bad is None
        counts[family][1] += 1
        failed |= bad is not None and name not in web
        why = "" if bad is None else (bad.get("message") or "").strip().partition("\n")[0][:160]
        print(f"{'passed' if bad is None else bad.tag:8}{name} {why}")
    for family, (passed, of) in counts.items():
        print(f"{family}: {passed} of {of}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
