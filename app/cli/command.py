"""The zapfs command line: which words it takes, and which room runs them.

Knows arguments and exit codes (0 done, 1 refused or failed, 2 asked wrongly, 3 of `admin`: no answer). Must not know
how anything is done: a room is imported when its command is given, so that `zapfs version` costs nothing.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from app import config
from app.cli import cluster_words
from app.cli.admin_words import add_words

ADMIN_ENDPOINT = "http://127.0.0.1:8060"
_SERVERS = ("server", "manager", "metadata", "file")


INTERRUPTED = 130  # as shells tell of SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    given = parser().parse_args(arguments)
    try:
        return _run(given)
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED


def _run(given: argparse.Namespace) -> int:
    if given.command == "version":
        say(f"zapfs {version('zapfs')}")
        return 0
    if given.command == "cluster":
        from app.cli import cluster

        return cluster.run(given)
    try:
        settings = config.resolve(_flags(given), _environment(given.command), given.config)
    except config.SettingsError as error:
        for mistake in error.mistakes:
            complain(mistake)
        return 2
    if given.command == "server":
        from app.cli import server

        return server.run(settings)
    if given.command == "manager":
        from app.cli import manager_front

        return manager_front.run(settings)
    if given.command in ("metadata", "file"):
        from app.cli import members

        return members.run(settings, members.GATEWAY if given.command == "metadata" else members.HOST)
    if given.command in ("fsck", "migrate"):
        from app.cli import fsck, migrate

        chosen: Callable[[config.Settings], int] = fsck.run if given.command == "fsck" else migrate.run
        return chosen(settings)
    from app.cli import admin

    return admin.run(given, settings)


def say(line: str) -> None:
    """One line for whoever asked."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    """One line on what went wrong."""
    sys.stderr.write(f"zapfs: {line}\n")
    sys.stderr.flush()


def parser() -> argparse.ArgumentParser:
    """Every word the command takes."""
    top = argparse.ArgumentParser(prog="zapfs", description="An S3-compatible object store.")
    top.add_argument("--version", action="version", version=f"zapfs {version('zapfs')}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("version", help="print the version")
    server = commands.add_parser("server", help="serve S3 and the admin face from one data directory")
    _add_settings(server, list(config.SETTINGS))
    manager = commands.add_parser("manager", help="decide what a cluster is: one of its 1, 3 or 5 managers")
    _add_settings(manager, list(config.SETTINGS))
    gateway = commands.add_parser("metadata", help="serve S3 over a cluster: a gateway")
    _add_settings(gateway, list(config.SETTINGS))
    host = commands.add_parser("file", help="keep a cluster's bytes: a file host")
    _add_settings(host, list(config.SETTINGS))
    cluster_words.add_arguments(commands.add_parser("cluster", help="run a whole cluster on this machine, to try it"))
    migrate = commands.add_parser("migrate", help="bring the metadata database up to date, before newer gateways start")
    _add_settings(migrate, ["data_dir"])
    fsck = commands.add_parser("fsck", help="read everything back and report what is missing, corrupt or orphaned")
    _add_settings(fsck, ["data_dir"])
    _add_admin(commands.add_parser("admin", help="administer a running server"))
    return top


def _add_settings(command: argparse.ArgumentParser, names: list[str]) -> None:
    command.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings; also ZAPFS_CONFIG")
    for name in names:
        setting = config.SETTINGS[name]
        if setting.metadata["secret"]:
            continue  # a command line is readable by every process of the machine
        text = f"{setting.metadata['reason']} ({setting.metadata['unit']}; default {config.default_of(setting)})"
        flag = "--" + name.replace("_", "-")
        if name in ("dev", "bootstrap"):
            command.add_argument(flag, dest=name, action="store_const", const="true", help=text)
        else:
            command.add_argument(flag, dest=name, metavar="VALUE", help=text.replace("%", "%%"))


def _add_admin(admin: argparse.ArgumentParser) -> None:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--endpoint", metavar="URL", help=f"admin face (default {ADMIN_ENDPOINT}, or the admin_bind)")
    common.add_argument(
        "--profile", metavar="NAME", help="of ~/.config/zapfs/profiles.toml, or the file ZAPFS_PROFILES names"
    )
    common.add_argument("--json", action="store_true", help="print the server's answer as JSON")
    _add_settings(common, ["data_dir", "dev"])
    subjects = admin.add_subparsers(dest="subject", required=True, metavar="SUBJECT")
    add_words(subjects, common)


def _flags(given: argparse.Namespace) -> dict[str, str]:
    return {name: value for name in config.SETTINGS if (value := getattr(given, name, None)) is not None}


def _environment(command: str) -> dict[str, str]:
    """The environment as this command sees it: only a server takes a bad setting of a server for a mistake."""
    if command in _SERVERS:
        return dict(os.environ)
    known = {config.ENVIRONMENT_PREFIX + name.upper() for name in config.GIVEN_AS} | {config.CONFIG_VARIABLE}
    return {name: value for name, value in os.environ.items() if name in known}
