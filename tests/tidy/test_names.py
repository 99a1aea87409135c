"""Names and docstrings: rooms are nouns that say something, and each says what it knows."""

import ast
import re

from tests.tidy.source import files, files_of_tests, functions, name_of, tree

BANNED = {"utils", "util", "helpers", "helper", "common", "misc", "base", "managers"}


def test_no_module_has_a_name_that_says_nothing():
    # roles/manager.py is the one manager: the role of that name.
    wrong = [name_of(path) for path in files() if path.stem in BANNED]
    wrong += [name_of(path) for path in files() if path.stem == "manager" and path.parent.name != "roles"]
    assert wrong == []


def test_no_class_calls_itself_a_base():
    wrong = [
        f"{name_of(path)}: {node.name}"
        for path in files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and (node.name.startswith("Base") or node.name.endswith("Manager"))
    ]
    assert wrong == []


def test_every_module_says_what_it_knows():
    wrong = [name_of(path) for path in files() if path.read_text().strip() and not ast.get_docstring(tree(path))]
    assert wrong == []


def test_every_test_is_named_by_a_sentence():
    wrong = []
    for path in files_of_tests():
        for name, _ in functions(path):
            if re.match(r"test_", name.rpartition(".")[2]) and name.count("_") < 3 and path.stem.startswith("test_"):
                wrong.append(f"{name_of(path)}: {name}")
    assert wrong == []


def test_every_test_file_says_what_it_holds():
    wrong = [name_of(p) for p in files_of_tests() if p.stem.startswith("test_") and not ast.get_docstring(tree(p))]
    assert wrong == []
