"""Statements written for SQLite, said in MySQL's words, and values as literals.

Knows phrases, not tables. Must not know connections. Six phrases differ; tests/unit/test_mysql_dialect.py has them
side by side:

- `ON CONFLICT DO NOTHING` -> `ON DUPLICATE KEY UPDATE` of the first column by itself. INSERT IGNORE would turn every
  other mistake into a warning as well.
- `ON CONFLICT (k) DO UPDATE SET c = excluded.c WHERE w` -> `ON DUPLICATE KEY UPDATE c = IF(w, VALUES(c), c)`.
  Assignments take effect from left to right: the column `w` looks at has to be the last.
- `ON CONFLICT (k) DO UPDATE SET c = c + excluded.c` -> `ON DUPLICATE KEY UPDATE c = c + VALUES(c)`.
- `(a, b) > (?, ?)` -> `(a > ? OR (a = ? AND b > ?))`: only this becomes a range of the index there.
- `INDEXED BY i` -> `FORCE INDEX (i)`; the column `key` is a word of MySQL's and gets quotes.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pymysql.converters import escape_string

from app.adapters.sql.session import Values
from app.core.limits import SQL_STATEMENTS_MAX

_MARK: Final = "\0"  # on both sides of a value's name; no statement has one
_ONE: Final = re.compile(f"{_MARK}(\\w+){_MARK}")
_ROWS: Final = re.compile(rf"\(([\w., ]+)\) > \(({_MARK}\w+{_MARK}(?:, {_MARK}\w+{_MARK})*)\)")
_NAMED: Final = re.compile(r":([a-z_]+)")
_KEY: Final = re.compile(r"\bkey\b")
_INDEX: Final = re.compile(r"INDEXED BY (\w+)")
_NOTHING: Final = re.compile(r"(INSERT INTO \w+ \((\w+)\b.*) ON CONFLICT DO NOTHING")
_GROWN: Final = re.compile(r"ON CONFLICT \([\w, ]+\) DO UPDATE SET ((?:\w+ = \w+ \+ excluded\.\w+(?:, )?)+)$")
_EXCLUDED: Final = re.compile(r"excluded\.(\w+)")
_UPDATE: Final = re.compile(r"ON CONFLICT \(\w+\) DO UPDATE SET (.*) WHERE (.*)")


class Template(NamedTuple):
    """A statement cut where its values go: one more piece than values."""

    pieces: tuple[str, ...]
    values: tuple[str, ...]


def said(statement: str, values: Values) -> str:
    """The statement with its values in place, for MySQL."""
    pieces, names = template(statement)
    text = [pieces[0]]
    if isinstance(values, Mapping):
        for name, piece in zip(names, pieces[1:], strict=True):
            text += (literal(values[name]), piece)
    else:
        for name, piece in zip(names, pieces[1:], strict=True):
            text += (literal(values[int(name)]), piece)
    return "".join(text)


@lru_cache(maxsize=SQL_STATEMENTS_MAX)
def template(statement: str) -> Template:
    """Translated once; there are as many as the source has statements."""
    parts = statement.split("?")
    text = parts[0] + "".join(f"{_MARK}{at}{_MARK}{part}" for at, part in enumerate(parts[1:]))
    text = _NAMED.sub(rf"{_MARK}\1{_MARK}", text)
    text = _INDEX.sub(r"FORCE INDEX (\1)", text)
    text = _NOTHING.sub(r"\1 ON DUPLICATE KEY UPDATE \2 = \2", text)
    text = _GROWN.sub(lambda match: "ON DUPLICATE KEY UPDATE " + _EXCLUDED.sub(r"VALUES(\1)", match[1]), text)
    text = _UPDATE.sub(_update, text)
    text = _ROWS.sub(_range, text)
    pieces = _ONE.split(text)
    return Template(tuple(_KEY.sub("`key`", piece) for piece in pieces[::2]), tuple(pieces[1::2]))


def literal(value: Any) -> str:
    """Bytes as hexadecimal digits, which no character set and no quote can get at."""
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        return f"'{escape_string(value)}'"
    if isinstance(value, int):
        return str(int(value))
    if value is None:
        return "NULL"
    raise TypeError(f"no column takes a {type(value).__name__}")


def _update(match: re.Match[str]) -> str:
    assignments, condition = match[1].split(", "), match[2]
    columns = [one.partition(" = excluded.")[0] for one in assignments]
    changed = ", ".join(f"{column} = IF({condition}, VALUES({column}), {column})" for column in columns)
    return f"ON DUPLICATE KEY UPDATE {changed}"


def _range(match: re.Match[str]) -> str:
    columns, values = match[1].split(", "), match[2].split(", ")
    text = f"{columns[-1]} > {values[-1]}"
    for column, value in list(zip(columns, values, strict=True))[-2::-1]:
        text = f"({column} > {value} OR ({column} = {value} AND {text}))"
    return text
