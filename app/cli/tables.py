"""Answers as tables for people: one line for each row, the columns are the fields of the first. Knows cells only."""

from collections.abc import Mapping, Sequence
from typing import Any


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Its lines; "none" without rows."""
    if not rows:
        return ["none"]
    cells = [[name.upper() for name in rows[0]], *([cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return ["  ".join(one.ljust(width) for one, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def cell(value: Any) -> str:
    """One value; "-" for none."""
    if isinstance(value, list):
        return ",".join(cell(one) for one in value) or "-"
    if isinstance(value, Mapping):
        return ",".join(f"{name}={cell(one)}" for name, one in value.items()) or "-"
    return "-" if value is None or value == "" else str(value)
