"""What `zapfs cluster` is asked with. Knows arguments only, so that every other command starts without it."""

import argparse
from pathlib import Path

_COUNTS = (
    ("managers", 3, "one, three or five"),
    ("hosts", 6, "file hosts"),
    ("devices", 2, "of each file host"),
    ("workers", 1, "of each gateway and file host"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `zapfs cluster` takes."""
    parser.add_argument("--dir", type=Path, default=Path("cluster"), help="where everything lies (default ./cluster)")
    for name, usual, text in _COUNTS:
        parser.add_argument(f"--{name}", type=int, default=usual, metavar="N", help=f"{text} (default {usual})")
    parser.add_argument("--gateways", type=int, default=0, metavar="N", help="default 2; 1 without mariadbd")
    parser.add_argument("--sqlite", action="store_true", help="keep metadata in SQLite though there is a mariadbd")
    parser.add_argument("--any-ports", action="store_true", help="choose free ports instead of the documented ones")
