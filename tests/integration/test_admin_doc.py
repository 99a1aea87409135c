"""docs/admin.md does as it says: every line of it is run, and the command and curl come to the same.

Knows the page's form: fenced blocks of `sh` with a `zapfs admin` line and its curl twin below, blocks of `json NAME`
that are files, and blocks of `sh cluster` for a cluster. Twins run on servers of their own, in the page's order, so
that what one makes is not in the other's way.
"""

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

import pytest

from app.cli import main
from tests.integration.server import ROOT, Server, temporary_directory
from tests.integration.test_cluster_command import running
from tests.wire.connection import RawClient
from tests.wire.signer import Credentials

PAGE = ROOT / "docs" / "admin.md"
OPERATOR = Credentials("AKIAROOTROOTROOTROOT", "a-secret-of-the-operator")
MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
VARIES = re.compile(
    r"(_id|_ms|_key|^created|^time|^expires|^expiration|^token|^arn|^remote|seconds|^stages|^worker|^node|ago|_dir|_bind|_free|^version)$"
)
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str, list[str]]]:
    """(language, name, lines) of every fenced block in the page's order, continued lines joined."""
    found = BLOCK.findall(PAGE.read_text())
    return [(language, name, text.replace("\\\n", " ").splitlines()) for language, name, text in found]


def twins(name: str) -> list[tuple[str, str]]:
    """The lines for one machine (""), or for a "cluster"."""
    lines = [
        line
        for language, called, block in blocks()
        for line in block
        if (language, called) == ("sh", name) and line.startswith(("zapfs admin ", "curl "))
    ]
    pairs = list(zip(lines[::2], lines[1::2], strict=True))
    assert all(command.startswith("zapfs") and twin.startswith("curl") for command, twin in pairs), pairs
    return pairs


@dataclass
class Side:
    """Where one of the twins runs, and what the page's variables are there."""

    directory: Path
    variables: dict[str, str] = field(default_factory=dict)

    def took(self, answer: Any) -> None:
        """Remember what later lines name."""
        if isinstance(answer, dict) and "secret_key" in answer and "name" not in answer:
            self.variables["KEY"] = answer["access_key"]

    def command(self, line: str) -> Any:
        """The answer to a `zapfs admin` line, in this process: a new one for each would take a minute."""
        words = shlex.split(Template(line).substitute(self.variables), comments=True)[1:]
        out, told = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(told), contextlib.chdir(self.directory):
            code = main([*words, "--json"])
        assert code == 0, f"{line}\n{told.getvalue()}"
        return None if "backup" in words else json.loads(out.getvalue())

    def curl(self, line: str) -> Any:
        """The answer to a curl line."""
        environment = {"PATH": os.environ["PATH"]} | self.variables
        checked = line.replace("curl ", "curl -sS --fail-with-body ", 1)
        command = ["bash", "-c", checked]
        done = subprocess.run(
            command, cwd=self.directory, env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout) if done.stdout else None


def alike(answer: Any) -> Any:
    """An answer without what is another one each time."""
    if isinstance(answer, dict):
        return {name: type(value).__name__ if VARIES.search(name) else alike(value) for name, value in answer.items()}
    # By what is left of them: what was sorted by random names stands in another order each time.
    return sorted((alike(one) for one in answer), key=json.dumps) if isinstance(answer, list) else answer


def prepared(root: Path, name: str, keys: Credentials = OPERATOR) -> Side:
    """A directory with the page's files."""
    directory = root / f"{name}-files"
    directory.mkdir()
    for language, called, lines in blocks():
        if language == "json":
            (directory / called).write_text("\n".join(lines))
    signed = f"--aws-sigv4 aws:amz:us-east-1:zapfs --user {keys.access_key}:{keys.secret_key}"
    return Side(directory, {"Z": signed, "ZAPFS_ACCESS_KEY": keys.access_key, "ZAPFS_SECRET_KEY": keys.secret_key})


def asked(server: Server) -> str:
    """The id of a request that was denied."""
    client = server.client()
    client.create_bucket(Bucket="photos")
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    client.put_bucket_lifecycle_configuration(Bucket="photos", LifecycleConfiguration={"Rules": [rule]})
    return str(client.put_object(Bucket="photos", Key="cat.jpg", Body=b"cat")["ResponseMetadata"]["RequestId"])


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Side, Side]]:
    """For the command and for curl: a server with a bucket and an empty one."""
    with temporary_directory() as root, contextlib.ExitStack() as stack:
        servers = [
            Server(root / name, workers=1, credentials=OPERATOR, environment={"ZAPFS_IAM_MASTER_KEY": MASTER_KEY})
            for name in ("command", "curl", "command-empty", "curl-empty")
        ]
        for server in servers:
            stack.callback(server.close)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(Server.start, servers))
        both = prepared(root, "command"), prepared(root, "curl")
        for side, server, empty in zip(both, servers[:2], servers[2:], strict=True):
            side.variables |= {
                "M": f"http://127.0.0.1:{server.admin_port}",
                "G": f"http://127.0.0.1:{server.admin_port}",
                "EMPTY": f"http://127.0.0.1:{empty.admin_port}",
                "REQUEST": asked(server),
            }
        yield both


def use(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command find the side's server by the environment, as the page tells."""
    for name in [name for name in os.environ if name.startswith("ZAPFS_")]:
        monkeypatch.delenv(name)
    for name in ("ZAPFS_ACCESS_KEY", "ZAPFS_SECRET_KEY"):
        monkeypatch.setenv(name, side.variables[name])
    monkeypatch.setenv("ZAPFS_ENDPOINT", side.variables["M"])


def test_every_line_of_the_page_does_the_same_by_the_command_and_by_curl(sides, monkeypatch):
    by_command, by_curl = sides
    use(by_command, monkeypatch)
    for command, twin in twins(""):
        answers = by_command.command(command), by_curl.curl(twin)
        for side, answer in zip(sides, answers, strict=True):
            side.took(answer)
        assert alike(answers[0]) == alike(answers[1]), f"{command}\n{twin}"


def test_every_line_for_a_cluster_does_the_same_by_the_command_and_by_curl(monkeypatch):
    with temporary_directory() as root, running(root / "cluster", "--devices", "3"):
        kept = json.loads((root / "cluster" / "cluster.json").read_text())
        keys = Credentials(kept["access_key"], kept["secret_key"])
        side = prepared(root, "cluster", keys)
        face, gateway = (kept["ports"][name] for name in ("manager-1.admin_bind", "gateway-1.ops_bind"))
        side.variables |= {"M": f"http://127.0.0.1:{face}", "G": f"http://127.0.0.1:{gateway}"}
        use(side, monkeypatch)
        raw = RawClient("127.0.0.1", kept["ports"]["gateway-1.s3_bind"], keys)
        assert raw.call("PUT", "/photos").status == 200
        for command, twin in twins("cluster"):
            answers = side.command(command), side.curl(twin)
            told = [sorted(answer) if isinstance(answer, dict) else answer for answer in answers]
            assert told[0] == told[1], f"{command}\n{twin}"


def test_a_token_that_was_made_is_as_good_as_the_key(sides, monkeypatch):
    side, _ = sides
    use(side, monkeypatch)
    token = side.command("zapfs admin token --seconds 900")["token"]
    for name in ("ZAPFS_ACCESS_KEY", "ZAPFS_SECRET_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("ZAPFS_TOKEN", token)
    listed = side.command("zapfs admin account list")
    assert listed == side.curl(f'curl -H "Authorization: Bearer {token}" $M/v1/accounts')
