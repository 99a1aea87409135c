"""The grammar of configuration documents: what it takes, what it refuses, and its canonical form."""

import pytest

from app.core.errors import Corrupt, S3Error
from app.core.s3.configs.grammar import XSI_TYPE, Choice, Field, Grammar, Node, Record, malformed
from app.core.s3.configs.leaves import flag, number, text, time_text, word


def _no_seven(node: Node) -> None:
    if node.number("Days") == 7:
        raise malformed("seven days")


_RULE = Record(
    Field("ID", text(0, 8)),
    Field("Status", word("Enabled", "Disabled"), least=1),
    Field("Days", number(1, 100)),
    Field("Date", time_text()),
    Field("Deep", flag()),
    Field("Grantee", Record(Field("ID", text()), typed=True)),
    choices=(Choice(("Days", "Date"), least=0),),
    rule=_no_seven,
)
GRAMMAR = Grammar("Thing", Record(Field("Rule", _RULE, least=1, most=2), Field("Name", text(1, 4))), elements_max=20)


def thing(inner: str, namespace: str = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"') -> bytes:
    return f"<Thing{namespace}>{inner}</Thing>".encode()


def rule(inner: str = "") -> bytes:
    return thing(f"<Rule><Status>Enabled</Status>{inner}</Rule>")


def test_values_are_read_in_any_order_and_written_in_the_grammars() -> None:
    node = GRAMMAR.parse(
        thing("<Name>a b</Name><Rule><Days> 3 </Days><Status>\nEnabled </Status><Deep>TRUE</Deep></Rule>")
    )
    first = node.nodes("Rule")[0]
    assert (first.text("Status"), first.number("Days"), first.flag("Deep"), first.get("ID")) == (
        "Enabled",
        3,
        True,
        None,
    )
    assert node.text("Name") == "a b"
    assert "Days" in first
    assert "Date" not in first
    assert GRAMMAR.write(node).endswith(
        b'<Thing xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><Status>Enabled</Status><Days>3</Days>'
        b"<Deep>true</Deep></Rule><Name>a b</Name></Thing>"
    )


def test_a_canonical_document_reads_back_as_itself() -> None:
    document = GRAMMAR.canonical(
        rule(
            "<ID>&lt;&#13;&amp;\u00e9</ID>"
            + '<Grantee xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:type="Group"/>'
        )
    )
    assert GRAMMAR.canonical(document) == document
    grantee = GRAMMAR.stored(document).nodes("Rule")[0].node("Grantee")
    assert grantee is not None
    assert grantee.text(XSI_TYPE) == "Group"
    assert GRAMMAR.stored(document) is GRAMMAR.stored(bytes(document))


def test_a_document_without_a_namespace_is_taken_too() -> None:
    assert GRAMMAR.canonical(thing("<Rule><Status>Enabled</Status></Rule>", "")) == GRAMMAR.canonical(rule())


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<Thing>",
        b"<Other/>",
        thing(""),
        rule("<Unknown/>"),
        rule("<ID>a</ID><ID>b</ID>"),
        rule("<ID>123456789</ID>"),
        rule("<ID><b/></ID>"),
        rule("words"),
        rule("<ID>a</ID>words"),
        rule("<Days>0</Days>"),
        rule("<Days>101</Days>"),
        rule("<Days>7</Days>"),
        rule("<Days>\u0663</Days>"),
        rule("<Days>1.0</Days>"),
        rule("<Days></Days>"),
        rule("<Days>--1</Days>"),
        rule("<Days>" + "9" * 5000 + "</Days>"),
        rule("<Date>tomorrow</Date>"),
        rule("<Date>2026-01-01</Date><Days>1</Days>"),
        rule("<Deep>yes</Deep>"),
        rule("<Grantee><ID>a</ID></Grantee>"),
        rule('<ID xmlns="urn:other">a</ID>'),
        thing("<Rule/>"),
        thing("<Rule><Status>Enabled</Status></Rule>" * 3),
        thing("<Rule><Status>enabled</Status></Rule>"),
        thing("<Rule><Status>Enabled</Status></Rule><Name></Name>"),
        thing("<Rule><Status>Enabled</Status></Rule>" + "<Name>a</Name>" * 30),
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + rule(),
    ],
)
def test_what_the_grammar_does_not_say_is_malformed(document: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        GRAMMAR.parse(document)
    assert caught.value.code == "MalformedXML"


def test_a_stored_document_that_does_not_parse_is_corrupt() -> None:
    with pytest.raises(Corrupt):
        GRAMMAR.stored(thing(""))
