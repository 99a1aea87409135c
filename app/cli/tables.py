"""Answers for people: tables, one line for each row, and fields, one line for each. Knows cells only."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.cli.sizes import amount, moment


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> list[str]:
    """Its lines; "none" without rows. `columns`: those of the first row where none are named."""
    if not rows:
        return ["none"]
    names = [name for name in columns if name in rows[0]] or list(rows[0])
    cells = [[name.upper() for name in names], *([field(name, row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    return ["  ".join(one.ljust(width) for one, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def fields(answer: Mapping[str, Any], prefix: str = "") -> list[str]:
    """One line for each field, those within others too; a list of rows is a table, a policy its text."""
    lines = []
    for name, value in answer.items():
        if name in ("document", "trust"):
            lines += [f"{prefix}{name}", *("  " + line for line in json.dumps(value, indent=2).splitlines())]
        elif isinstance(value, Mapping) and value:
            lines += fields(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            rows = (line for one in value for line in fields(one)) if _deep(value) else table(value)
            lines += [prefix + name, *("  " + line for line in rows)]
        else:
            lines.append(f"{prefix + name:28} {field(name, value)}")
    return lines


def _deep(rows: Sequence[Mapping[str, Any]]) -> bool:
    return any(isinstance(value, Mapping) and value for value in rows[0].values())


def field(name: str, value: Any) -> str:
    """A value as its name says it is meant: bytes as an amount, milliseconds as a moment."""
    if isinstance(value, int) and not isinstance(value, bool):
        if "bytes" in name.split("_"):
            return amount(value) + ("/s" if name.endswith("_per_s") else "")
        if name.endswith("_ms"):
            return moment(value)
    return cell(value)


def cell(value: Any) -> str:
    """One value; "-" for none."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(cell(one) for one in value) or "-"
    if isinstance(value, Mapping):
        return ",".join(f"{name}={cell(one)}" for name, one in value.items()) or "-"
    return "-" if value is None or value == "" else str(value)
