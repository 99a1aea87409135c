"""Commands as bytes: every class there and back, and nothing else made of what somebody sends."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.adapters.cluster import command_codec
from app.core.cluster import CreateAccount, Who
from app.core.cluster.commands import DeleteInline
from app.core.errors import Corrupt


@pytest.mark.parametrize("kind", command_codec.COMMANDS.values(), ids=command_codec.COMMANDS)
def test_every_command_comes_back_as_it_was(kind: type[Any]):
    @settings(max_examples=10, deadline=None)
    @given(st.from_type(kind))
    def there_and_back(command: Any) -> None:
        again = command_codec.decode(command_codec.encode(command))
        assert again == command
        assert type(again) is kind

    there_and_back()


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"form":2,"kind":"DeleteAccount","is":{},"command":{"command_id":"c","name":"n"}}',
        b'{"form":1,"kind":"Popen","is":{},"command":{"args":"true"}}',
        b'{"form":1,"kind":"DeleteAccount","is":{},"command":{"command_id":"c"}}',
        b'{"form":1,"kind":"DeleteAccount","is":{},"command":{"command_id":"c","name":"n","later":1}}',
        b'{"form":1,"kind":"DeleteAccount","is":{},"command":{"command_id":"c","name":7}}',
        b'{"form":1,"kind":"DeleteAccount","is":{"name":"User"},"command":{"command_id":"c","name":"n"}}',
        b'{"form":1,"kind":"Create","is":{"entity":"Account"},"command":{}}',
    ],
)
def test_what_is_no_command_of_this_release_is_refused(document: bytes):
    with pytest.raises(Corrupt):
        command_codec.decode(document)


def test_the_form_of_a_command_on_disk_does_not_change():
    """Logs written by this release are read by the next: this document is one of them."""
    document = (
        b'{"form":1,"kind":"DeleteInline","is":{},"command":{"command_id":"c1","who":["a","user","u"],"policy":"p"}}'
    )
    command = DeleteInline("c1", Who("a", "user", "u"), "p")
    assert command_codec.encode(command) == document
    assert command_codec.decode(document) == command
    assert json.loads(document)["kind"] != CreateAccount.__name__
