"""The words of `zapfs admin`, put together: a parser for every subject and verb, and the page --help shows.

Knows argparse. Must not know any word's request: those are in the modules named after subjects.
"""

import argparse
from collections.abc import Mapping
from typing import Any, Final

from app.cli import explain_words, system_words
from app.cli.account_words import ACCOUNT_WORDS, KEY_WORDS
from app.cli.argument_texts import ARGUMENTS, EXITS, METAVARS, SUBJECTS
from app.cli.bucket_words import BUCKET_WORDS
from app.cli.identity_words import IDENTITY_WORDS
from app.cli.layout_words import CLUSTER_WORDS
from app.cli.manager_words import MANAGER_WORDS
from app.cli.policy_words import POLICY_WORDS
from app.cli.words import Word

WORDS: Final[Mapping[str, Mapping[str, Word]]] = {
    "account": ACCOUNT_WORDS,
    **IDENTITY_WORDS,
    "policy": POLICY_WORDS,
    "key": KEY_WORDS,
    "kms": system_words.KMS_WORDS,
    "bucket": BUCKET_WORDS,
    "limit": system_words.LIMIT_WORDS,
    "cluster": {**CLUSTER_WORDS, **MANAGER_WORDS},
    "lifecycle": system_words.LIFECYCLE_WORDS,
    "gc": system_words.GC_WORDS,
    "master-key": system_words.MASTER_KEY_WORDS,
}
SINGLE: Final[Mapping[str, Word]] = {
    "backup": system_words.BACKUP,
    "backups": system_words.BACKUPS,
    "restore": system_words.RESTORE,
    "config": system_words.CONFIG,
    "api": system_words.API,
    "token": system_words.TOKEN,
    "request": explain_words.REQUEST,
    "simulate": explain_words.SIMULATE,
}
_FORM: Final = argparse.RawDescriptionHelpFormatter


def word_of(given: argparse.Namespace) -> Word:
    """The word that was given."""
    return WORDS[given.subject][given.verb] if given.verb else SINGLE[given.subject]


def add_words(subjects: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """A parser for every subject and verb; "manager add" is the verb add of the group manager."""
    for subject, words in WORDS.items():
        parser = subjects.add_parser(subject, help=SUBJECTS[subject], description=SUBJECTS[subject])
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        groups: dict[str, Any] = {}
        for verb, word in words.items():
            group, _, last = verb.rpartition(" ")
            if group and group not in groups:
                found = verbs.add_parser(group, help=f"{group}s of {'a cluster' if subject == 'cluster' else 'one'}")
                groups[group] = found.add_subparsers(required=True, metavar="VERB")
            _add(groups.get(group, verbs), last, word, common).set_defaults(verb=verb)
    for subject, word in SINGLE.items():
        _add(subjects, subject, word, common).set_defaults(verb="")


def _add(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    word: Word,
    common: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    """One word's parser."""
    asks = f"asks: {word.method} {word.path}\n\n{EXITS}"
    text = word.text[0].upper() + word.text[1:] + "."
    one = verbs.add_parser(name, parents=[common], help=word.text, description=text, epilog=asks, formatter_class=_FORM)
    for argument in word.names:
        plain = argument.rstrip("?*")
        many = argument[-1] if argument[-1] in "?*" else None
        one.add_argument(plain, nargs=many, metavar=plain.upper(), help=ARGUMENTS[plain])
    for option in word.options:
        _add_option(one, option)
    if word.account:
        one.add_argument("--account", metavar="NAME", help=ARGUMENTS["account"])
    if word.settled is not None:
        one.add_argument("--wait", action="store_true", help="return when the work is done; Ctrl-C stops the waiting")
    return one


def _add_option(one: argparse.ArgumentParser, option: str) -> None:
    plain = option.rstrip("*!")
    flag, text = "--" + plain.replace("_", "-"), ARGUMENTS[plain]
    if option.endswith("!"):
        one.add_argument(flag, action="store_true", help=text)
    else:
        action = "append" if option.endswith("*") else "store"
        one.add_argument(flag, action=action, metavar=METAVARS.get(plain, plain.upper()), help=text)
