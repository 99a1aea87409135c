"""Manners a linter does not know: clocks and chance come from outside, bounds are used, promises are kept."""

import ast
import re
import subprocess
import tomllib
from collections import Counter

from tests.tidy import exemptions
from tests.tidy.source import ROOT, files, files_of_tests, imported, name_of, tree

CLOCKS_AND_CHANCE = {
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.perf_counter",
    "random",
    "secrets",
    "uuid.uuid1",
    "uuid.uuid4",
    "os.urandom",
}
WORDS_OF_SKIPPING = {"skip", "skipif", "importorskip", "xfail"}


def reads_chance_or_clock(path):
    """Names of clocks and sources of randomness a file reaches for."""
    found = {name for name in imported(path) if name in CLOCKS_AND_CHANCE}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            dotted = f"{node.value.id}.{node.attr}"
            if dotted in CLOCKS_AND_CHANCE or dotted in ("datetime.now", "datetime.utcnow"):
                found.add(dotted)
    return found


def test_the_core_the_services_and_the_adapters_are_handed_the_time_and_randomness():
    wrong = []
    for path in files():
        name = name_of(path)
        if not name.startswith(("app/core", "app/services", "app/adapters", "app/ports")):
            continue
        found = reads_chance_or_clock(path)
        allowed, _ = exemptions.CLOCKS.get(name, (frozenset(), ""))
        if not found <= allowed:
            wrong.append(f"{name}: {', '.join(sorted(found))}")
    assert wrong == []


def test_no_exemption_for_a_clock_is_left_over():
    assert [n for n, (allowed, _) in exemptions.CLOCKS.items() if not allowed <= reads_chance_or_clock(ROOT / n)] == []


def test_every_bound_is_used():
    bounds = "\n".join((ROOT / f"app/core/{name}.py").read_text() for name in ("limits", "cluster_limits"))
    names = re.findall(r"^([A-Z][A-Z0-9_]+):", bounds, re.MULTILINE)
    words = Counter(word for path in files() for word in re.findall(r"\b[A-Z][A-Z0-9_]+\b", path.read_text()))
    assert [name for name in names if words[name] < 2] == []


def test_every_requirement_is_pinned_exactly():
    for file in ("requirements.txt", "tests/requirements.txt"):
        for line in (ROOT / file).read_text().splitlines():
            if line and not line.startswith(("#", "-r ")):
                assert re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+", line), f"{file}: {line}"


def test_every_requirement_of_the_server_has_its_reason():
    reasons = (ROOT / "docs/adr/0002-dependencies.md").read_text().lower()
    own = (ROOT / "requirements.txt").read_text().partition("# What those need")[0]
    names = [line.partition("==")[0].lower() for line in own.splitlines() if "==" in line]
    assert [name for name in names if f"`{name}`" not in reasons] == []


def test_every_make_command_of_the_documents_is_a_target():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    for document in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]:
        # Only inside code, where a command is meant to be typed.
        code = re.findall(r"```.*?```|`[^`\n]+`", document.read_text(), re.DOTALL)
        used = {word for piece in code for word in re.findall(r"(?:^|[`;&])\s*make ([a-z0-9-]+)", piece, re.M)}
        assert used <= targets, f"{document.name}: {used - targets}"


def test_every_file_a_document_links_to_is_there():
    for document in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_code_file_named_in_the_walk_is_there():
    named = re.findall(r"`((?:app|roles|migrations)/[\w/.]+\.py)`", (ROOT / "docs/walk.md").read_text())
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_no_test_is_skipped_or_expected_to_fail():
    wrong = []
    for path in files_of_tests():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and node.attr in WORDS_OF_SKIPPING:
                wrong.append(f"{name_of(path)}:{node.lineno}")
    assert wrong == []


def test_the_package_says_the_version_the_changelog_is_at():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert version in headings


def test_make_without_a_word_shows_the_words():
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for word in ("install", "run", "test", "lint", "bench", "s3-tests", "clean"):
        assert f"make {word}" in shown
