"""The clients people use, each by round trip, sync and multipart: aws-cli, rclone, s3cmd, s5cmd."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.server import Server, clean_environment
from tests.integration.test_objects import MIB, noise

SIZES = {"empty": 0, "five": 5, "dir/eight.bin": 8 * MIB, "dir/deep er/ünï.txt": 1_000}
LARGE_BYTES = 300 * MIB
AWS = str(Path(sys.executable).with_name("aws"))
S5CMD = str(Path(sys.executable).with_name("s5cmd"))


def tree_digests(root: Path) -> dict[str, str]:
    """Relative path -> MD5 of every file below."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): digest(path) for path in files}


def digest(path: Path) -> str:
    """The MD5 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


class Shell:
    """Runs client programs with the server's credentials, away from the user's own settings."""

    def __init__(self, server: Server, home: Path) -> None:
        self.server, self.home = server, home
        keys = server.credentials
        self.environment = clean_environment(
            HOME=str(home),
            AWS_ACCESS_KEY_ID=keys.access_key,
            AWS_SECRET_ACCESS_KEY=keys.secret_key,
            AWS_DEFAULT_REGION="us-east-1",
            RCLONE_CONFIG=str(home / "rclone.conf"),
            LC_ALL="C.UTF-8",
        )
        (home / "rclone.conf").write_text(
            f"[z]\ntype = s3\nprovider = Other\nendpoint = {server.endpoint}\n"
            f"access_key_id = {keys.access_key}\nsecret_access_key = {keys.secret_key}\n"
        )
        (home / ".s3cfg").write_text(
            f"[default]\naccess_key = {keys.access_key}\nsecret_key = {keys.secret_key}\nuse_https = False\n"
            f"host_base = 127.0.0.1:{server.s3_port}\nhost_bucket = 127.0.0.1:{server.s3_port}\n"
        )

    def run(self, *command: str, timeout_s: float = 100.0) -> str:
        """Standard output of a command that must succeed."""
        done = subprocess.run(
            command, env=self.environment, cwd=self.home, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def aws(self, *arguments: str) -> str:
        """`aws --endpoint-url ... ARGUMENTS`."""
        return self.run(AWS, "--endpoint-url", self.server.endpoint, *arguments)

    def rclone(self, *arguments: str) -> str:
        """`rclone ARGUMENTS` with the remote z:."""
        return self.run("rclone", "--retries", "1", *arguments)

    def s3cmd(self, *arguments: str) -> str:
        """`s3cmd ARGUMENTS`."""
        return self.run("s3cmd", "--no-progress", "-c", str(self.home / ".s3cfg"), *arguments)

    def s5cmd(self, *arguments: str) -> str:
        """`s5cmd ARGUMENTS`."""
        return self.run(S5CMD, "--endpoint-url", self.server.endpoint, "--retry-count", "0", *arguments)


@pytest.fixture
def shell(server: Server, tmp_path: Path) -> Shell:
    """A shell with a home of its own."""
    return Shell(server, tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files of the sizes users have."""
    root = tmp_path / "tree"
    for name, size in SIZES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(noise(size, size))
    return root


@pytest.mark.slow
def test_aws_cli_makes_copies_lists_syncs_presigns_and_removes(shell: Shell, tree: Path, tmp_path: Path) -> None:
    shell.aws("s3", "mb", "s3://awscli")
    for name in SIZES:
        shell.aws("s3", "cp", str(tree / name), f"s3://awscli/one/{name}")
    shell.aws("s3", "cp", "--recursive", "s3://awscli/one/", str(tmp_path / "back"))
    assert tree_digests(tmp_path / "back") == tree_digests(tree)
    listing = shell.aws("s3", "ls", "--recursive", "s3://awscli/one/")
    sizes = {line.split(maxsplit=3)[3]: int(line.split()[2]) for line in listing.splitlines()}
    assert sizes == {f"one/{name}": size for name, size in SIZES.items()}
    shell.aws("s3", "sync", str(tree), "s3://awscli/two")
    shell.aws("s3", "sync", "s3://awscli/two", str(tmp_path / "down"))
    assert tree_digests(tmp_path / "down") == tree_digests(tree)
    assert shell.aws("s3", "sync", str(tree), "s3://awscli/two") == ""
    url = shell.aws("s3", "presign", "s3://awscli/one/five").strip()
    got = subprocess.run(["curl", "-sSf", "--max-time", "20", url], capture_output=True, check=True)
    assert got.stdout == (tree / "five").read_bytes()
    shell.aws("s3", "rm", "--recursive", "s3://awscli")
    shell.aws("s3", "rb", "s3://awscli")


@pytest.mark.slow
def test_aws_cli_carries_three_hundred_mebibytes_there_and_back(shell: Shell, tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        for seed in range(LARGE_BYTES // (4 * MIB)):
            file.write(os.urandom(4 * MIB - 8) + seed.to_bytes(8, "big"))
    shell.aws("s3", "mb", "s3://large")
    shell.aws("s3", "cp", "--no-progress", str(big), "s3://large/big")
    shell.aws("s3", "cp", "--no-progress", "s3://large/big", str(tmp_path / "back"))
    assert digest(tmp_path / "back") == digest(big)
    shell.aws("s3", "rb", "--force", "s3://large")


@pytest.mark.slow
def test_rclone_round_trips_syncs_checks_and_uploads_in_parts(shell: Shell, tree: Path, tmp_path: Path) -> None:
    shell.rclone("mkdir", "z:rclone")
    shell.rclone("sync", "--s3-upload-cutoff", "5Mi", "--s3-chunk-size", "5Mi", str(tree), "z:rclone/t")
    shell.rclone("check", "--download", str(tree), "z:rclone/t")
    shell.rclone("copy", "z:rclone/t", str(tmp_path / "down"))
    assert tree_digests(tmp_path / "down") == tree_digests(tree)
    (tree / "five").unlink()
    shell.rclone("sync", str(tree), "z:rclone/t")
    assert sorted(shell.rclone("lsf", "-R", "--files-only", "z:rclone/t").splitlines()) == sorted(set(SIZES) - {"five"})
    shell.rclone("copyto", "z:rclone/t/dir/eight.bin", "z:rclone/copied")
    assert shell.rclone("md5sum", "z:rclone/copied").split()[0] == digest(tree / "dir/eight.bin")
    shell.rclone("purge", "z:rclone")


@pytest.mark.slow
def test_s3cmd_round_trips_syncs_and_uploads_in_parts(shell: Shell, tree: Path, tmp_path: Path) -> None:
    shell.s3cmd("mb", "s3://s3cmd")
    shell.s3cmd("put", "--multipart-chunk-size-mb=5", str(tree / "dir/eight.bin"), "s3://s3cmd/eight")
    shell.s3cmd("get", "s3://s3cmd/eight", str(tmp_path / "eight"))
    assert digest(tmp_path / "eight") == digest(tree / "dir/eight.bin")
    shell.s3cmd("sync", f"{tree}/", "s3://s3cmd/t/")
    (tmp_path / "down").mkdir()
    shell.s3cmd("sync", "s3://s3cmd/t/", f"{tmp_path}/down/")
    assert tree_digests(tmp_path / "down") == tree_digests(tree)
    shell.s3cmd("del", "s3://s3cmd/t/five")
    assert len(shell.s3cmd("ls", "--recursive", "s3://s3cmd/t/").splitlines()) == len(SIZES) - 1
    shell.s3cmd("rb", "--recursive", "--force", "s3://s3cmd")


@pytest.mark.slow
def test_s5cmd_round_trips_syncs_and_uploads_in_parts(shell: Shell, tree: Path, tmp_path: Path) -> None:
    shell.s5cmd("mb", "s3://s5cmd")
    shell.s5cmd("cp", "-p", "5", str(tree / "dir/eight.bin"), "s3://s5cmd/eight")
    shell.s5cmd("cp", "s3://s5cmd/eight", str(tmp_path / "eight"))
    assert digest(tmp_path / "eight") == digest(tree / "dir/eight.bin")
    shell.s5cmd("sync", f"{tree}/", "s3://s5cmd/t/")
    shell.s5cmd("sync", "s3://s5cmd/t/*", f"{tmp_path}/down/")
    assert tree_digests(tmp_path / "down") == tree_digests(tree)
    shell.s5cmd("rm", "s3://s5cmd/*")
    shell.s5cmd("rb", "s3://s5cmd")
