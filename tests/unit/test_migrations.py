"""Migrations: forward only, checked, one transaction each, safe when processes start together."""

import multiprocessing
import shutil
import sqlite3
from pathlib import Path

import pytest

from migrations.run import DIRECTORY, MigrationError, load, migrate


@pytest.fixture
def history(tmp_path: Path) -> Path:
    directory = tmp_path / "history"
    directory.mkdir()
    (directory / "0001_one.sql").write_text("-- dialect: sqlite\nCREATE TABLE one (a INTEGER);\n")
    return directory


def tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_the_products_own_history_applies_once_and_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "zapfs.db"
    assert migrate(path) == migrate(path) == len(load("sqlite"))
    assert {"bucket", "obj_head", "obj_version", "chunk_ref"} <= tables(path)


def test_a_new_migration_is_applied_to_an_old_database(tmp_path: Path, history: Path) -> None:
    path = tmp_path / "zapfs.db"
    assert migrate(path, history) == 1
    (history / "0002_two.sql").write_text("-- dialect: sqlite\nCREATE TABLE two (a INTEGER);\n")
    assert migrate(path, history) == 2
    assert "two" in tables(path)


def test_a_database_newer_than_the_code_is_refused(tmp_path: Path, history: Path) -> None:
    path = tmp_path / "zapfs.db"
    (history / "0002_two.sql").write_text("-- dialect: sqlite\nCREATE TABLE two (a INTEGER);\n")
    migrate(path, history)
    (history / "0002_two.sql").unlink()
    with pytest.raises(MigrationError, match="newer program"):
        migrate(path, history)


def test_an_edited_migration_is_refused(tmp_path: Path, history: Path) -> None:
    path = tmp_path / "zapfs.db"
    migrate(path, history)
    (history / "0001_one.sql").write_text("-- dialect: sqlite\nCREATE TABLE one (a TEXT);\n")
    with pytest.raises(MigrationError, match="another text"):
        migrate(path, history)


def test_another_dialects_section_does_not_edit_a_migration(tmp_path: Path, history: Path) -> None:
    path = tmp_path / "zapfs.db"
    migrate(path, history)
    with (history / "0001_one.sql").open("a") as file:
        file.write("-- dialect: mysql\nCREATE TABLE one (a BIGINT);\n")
    assert migrate(path, history) == 1
    assert load("mysql", history)[0].sql == "CREATE TABLE one (a BIGINT);"


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, history: Path) -> None:
    path = tmp_path / "zapfs.db"
    migrate(path, history)
    (history / "0002_bad.sql").write_text(
        "-- dialect: sqlite\nCREATE TABLE two (a INTEGER);\nINSERT INTO no VALUES (1);\n"
    )
    with pytest.raises(sqlite3.OperationalError):
        migrate(path, history)
    assert "two" not in tables(path)
    (history / "0002_bad.sql").unlink()
    assert migrate(path, history) == 1


def test_a_gap_a_bad_name_or_an_unfinished_statement_is_a_mistake_of_ours(tmp_path: Path, history: Path) -> None:
    shutil.copy(history / "0001_one.sql", history / "0003_three.sql")
    with pytest.raises(MigrationError, match="numbered"):
        load("sqlite", history)
    (history / "0003_three.sql").rename(history / "0002_unfinished.sql")
    (history / "0002_unfinished.sql").write_text("-- dialect: sqlite\nCREATE TABLE two (a")
    with pytest.raises(MigrationError, match="not finished"):
        migrate(tmp_path / "zapfs.db", history)
    (history / "second.sql").write_text("")
    with pytest.raises(MigrationError, match="NNNN_name"):
        load("sqlite", history)
    with pytest.raises(MigrationError, match="says nothing"):
        load("oracle", DIRECTORY)


def test_processes_that_start_together_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "zapfs.db"
    processes = [multiprocessing.get_context("spawn").Process(target=migrate, args=(path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert migrate(path) == len(load("sqlite"))
