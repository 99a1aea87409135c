"""What MySQL is told for a statement written for SQLite, and how values are put into it."""

import pytest

from app.adapters.sql import references, versions
from app.adapters.sql.mysql.address import address_of
from app.adapters.sql.mysql.dialect import literal, said, template
from app.adapters.sql.session import LOCKED
from app.config_values import metadata_url


def test_values_stand_where_their_marks_were() -> None:
    assert said("SELECT a FROM t WHERE b = ? AND c > ?", (b"\x00'", "it's")) == (
        r"SELECT a FROM t WHERE b = x'0027' AND c > 'it\'s'"
    )
    assert said("SELECT 1 WHERE a = :id OR b = :id", {"id": b"\xff"}) == "SELECT 1 WHERE a = x'ff' OR b = x'ff'"


def test_a_value_is_never_taken_for_a_mark_or_a_name() -> None:
    assert said("SELECT ?, ?", ("? :key key", b"?")) == "SELECT '? :key key', x'3f'"


@pytest.mark.parametrize(
    ("value", "text"),
    [(b"", "x''"), (7, "7"), (True, "1"), (None, "NULL"), ("\x00\\'\n", r"'\0\\\'\n'"), ("\U0001f600", "'\U0001f600'")],
)
def test_values_become_literals(value: object, text: str) -> None:
    assert literal(value) == text


def test_what_no_column_takes_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError):
        literal(1.5)


def test_an_insert_that_may_be_there_already_touches_nothing() -> None:
    assert said("INSERT INTO t (a, b) VALUES (?, 0) ON CONFLICT DO NOTHING", (1,)) == (
        "INSERT INTO t (a, b) VALUES (1, 0) ON DUPLICATE KEY UPDATE a = a"
    )


def test_a_conditional_update_assigns_the_column_it_looks_at_last() -> None:
    text = said(references._PUBLISH, (b"c", "L", b"b", 3))
    assert text.endswith(
        "ON DUPLICATE KEY UPDATE blob_id = IF(chunk.state = 'W', VALUES(blob_id), blob_id), "
        "length = IF(chunk.state = 'W', VALUES(length), length), state = IF(chunk.state = 'W', VALUES(state), state)"
    )


def test_rows_are_compared_in_a_way_that_is_a_range_of_the_index() -> None:
    assert said("SELECT 1 WHERE (a, key) > (?, ?) LIMIT ?", (1, b"k", 9)) == (
        "SELECT 1 WHERE (a > 1 OR (a = 1 AND `key` > x'6b')) LIMIT 9"
    )
    assert said("SELECT 1 WHERE (a, b, c) > (?, ?, ?)", (1, 2, 3)) == (
        "SELECT 1 WHERE (a > 1 OR (a = 1 AND (b > 2 OR (b = 2 AND c > 3))))"
    )


def test_a_lock_is_a_comment_to_sqlite_and_a_word_to_the_server() -> None:
    assert "/*! FOR UPDATE */" in LOCKED
    assert said(f"SELECT 1 FROM t{LOCKED}", ()).endswith(LOCKED)


def test_the_column_key_is_quoted_and_the_word_is_not() -> None:
    assert "v.`key` = " in said(versions._AT_SEQ, {"bucket": b"", "key": b"", "seq_down": 1, "id": b""})
    assert template("PRIMARY KEY (key)").pieces == ("PRIMARY KEY (`key`)",)


class TestAddress:
    def test_a_url_names_server_database_and_user(self) -> None:
        found = address_of("mysql://us%40er:p%2Fw@db.example:3307/zapfs")
        assert (found.host, found.port, found.user, found.password, found.database) == (
            "db.example",
            3307,
            "us@er",
            "p/w",
            "zapfs",
        )
        assert address_of("mysql://u@h/zapfs").port == 3306
        assert address_of("mysql://u@localhost/zapfs?socket=/run/s").socket == "/run/s"
        assert address_of("mysql://u@db/zapfs?ca=/etc/db.pem").ca == "/etc/db.pem"
        with pytest.raises(ValueError, match="no parameters but"):
            address_of("mysql://u:secret@db/zapfs?cs=/etc/db.pem")

    def test_the_setting_takes_what_the_store_understands(self) -> None:
        for url in ("mysql://u:p%40w@db/zapfs?ca=/etc/db.pem", "mysql://root@localhost/zapfs?socket=/run/mysqld/s"):
            assert address_of(metadata_url(url)).database == "zapfs"
        for wrong in (
            "mysql://u:p@w@db/zapfs",
            "mysql://db/zapfs",
            "mysql://u@db/zapfs?ssl=1",
            "mysql://u@db/zapfs?ca=db.pem",
            "postgres://u@db/zapfs",
        ):
            with pytest.raises(ValueError, match="must be mysql://"):
                metadata_url(wrong)

    def test_the_password_is_in_no_text(self) -> None:
        found = address_of("mysql://user:hunter2@host/zapfs")
        assert "hunter2" not in f"{found} {found!r}"
        for wrong in (
            "mysql://user:hunter2@host:x/zapfs",
            "http://user:hunter2@host/zapfs",
            "mysql://user:hunter2@host",
        ):
            with pytest.raises(ValueError, match="the database URL is not") as refused:
                address_of(wrong)
            assert "hunter2" not in str(refused.value)


def test_counts_grow_where_they_are() -> None:
    statement = "INSERT INTO t (k, s, n, m) VALUES (?, ?, ?, ?) ON CONFLICT (k, s) DO UPDATE SET n = n + excluded.n, "
    assert said(statement + "m = m + excluded.m", (1, 2, 3, 4)) == (
        "INSERT INTO t (k, s, n, m) VALUES (1, 2, 3, 4) ON DUPLICATE KEY UPDATE n = n + VALUES(n), m = m + VALUES(m)"
    )
