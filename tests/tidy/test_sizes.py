"""Files, functions and parameter lists stay small; exemptions only shrink."""

import ast

from tests.tidy import exemptions
from tests.tidy.source import files, files_of_tests, functions, name_of

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
PARAMETERS_MAX = 6


def judge(found: dict[str, int], limit: int, exempt: dict[str, tuple[int, str]]) -> list[str]:
    """What breaks the limit without an exemption, outgrew its exemption, or no longer needs it."""
    wrong = [f"{name}: {size}, allowed {limit}" for name, size in found.items() if size > limit and name not in exempt]
    for name, (size, reason) in exempt.items():
        if found.get(name, 0) > size:
            wrong.append(f"{name}: {found[name]} outgrew its exemption of {size}")
        if found.get(name, 0) <= limit:
            wrong.append(f"{name}: needs no exemption any more")
        if not reason:
            wrong.append(f"{name}: an exemption has a reason")
    return wrong


def test_no_file_is_longer_than_400_lines():
    found = {name_of(path): len(path.read_text().splitlines()) for path in (*files(), *files_of_tests())}
    assert judge(found, FILE_LINES_MAX, exemptions.FILES) == []


def test_no_function_is_longer_than_50_lines():
    found = {
        f"{name_of(path)}::{name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in files()
        for name, node in functions(path)
    }
    assert judge(found, FUNCTION_LINES_MAX, exemptions.FUNCTIONS) == []


def test_no_function_takes_more_than_6_parameters():
    def count(arguments: ast.arguments) -> int:
        names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        return len([name for name in names if name not in ("self", "cls")])

    found = {f"{name_of(path)}::{name}": count(node.args) for path in files() for name, node in functions(path)}
    assert judge(found, PARAMETERS_MAX, exemptions.PARAMETERS) == []
