"""What identities are given from files and KEY=VALUE options: policies and tags. Knows bodies' fields only."""

import json
from pathlib import Path

from app.cli.words import Content, Given


def document(given: Given) -> Content:
    """A policy from the file named. Raises OSError, ValueError."""
    return {"document": policy(given["file"])}


def policy(file: str) -> object:
    """The JSON of a file. Raises OSError; ValueError for what is no JSON."""
    try:
        found: object = json.loads(Path(file).read_text())
    except ValueError as error:
        raise ValueError(f"{file} is no JSON: {error}") from error
    return found


def pairs(given: Given, option: str) -> dict[str, str]:
    """KEY=VALUE options. Raises ValueError."""
    found = {}
    for one in given.get(option) or ():
        key, equals, value = one.partition("=")
        if not equals:
            raise ValueError(f"--{option} takes KEY=VALUE, not {one}")
        found[key] = value
    return found


def tags(given: Given) -> Content:
    """Those of a new entity; no field without any."""
    found = pairs(given, "tag")
    return {"tags": found} if found else {}
