"""A grammar of configuration documents: declared once per kind, it reads, refuses and writes.

Knows elements, their order-free nesting and how often each may occur; leaves (texts, words, numbers, flags, times)
are in `leaves`. Must not know any kind of configuration.

    RULE = Record(
        Field("ID", text(0, 255)),                             # at most once; default
        Field("Status", word("Enabled", "Disabled"), least=1), # exactly once
        Field("Prefix", text(0, 1024)),
        Field("Filter", Record(Field("Prefix", text(0, 1024)))),
        choices=(Choice(("Prefix", "Filter")),),               # exactly one of them; least=0: at most one
        rule=_check_rule,                                      # (Node) -> None, raises: rules across elements
    )
    LIFECYCLE = Grammar("LifecycleConfiguration", Record(Field("Rule", RULE, least=1, most=1000)), elements_max=30_000)

    node = LIFECYCLE.parse(body)     # hostile bytes -> Node; MalformedXML, or what a leaf or rule raises
    stored = LIFECYCLE.write(node)   # the canonical document: what is stored, and what a GET answers as it is
    node = LIFECYCLE.stored(stored)  # read again, kept in memory; raises Corrupt: what is unreadable fails closed
    for rule in node.nodes("Rule"): rule.text("Status"); rule.get("Prefix"); rule.node("Filter"); rule.number("Days")

Elements of a record may come in any order, as S3 takes them; an unknown one, one too many or one missing is
MalformedXML. The canonical form has S3's namespace, the grammar's order of elements, and the leaves' own forms.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, Union
from xml.etree.ElementTree import Element

from app.core import limits
from app.core.errors import Corrupt, S3Error
from app.core.s3.documents import local_name, read
from app.core.s3.xml import Writer

Leaf = Callable[[str], str]
"""The canonical text of an element's text. Raises ValueError (answered as MalformedXML), or an S3Error of its own."""
Shape = Union["Record", Leaf]
Value = Union[str, "Node"]

XSI_TYPE: Final = "xsi:type"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_XSI_ATTRIBUTE: Final = "{" + _XSI + "}type"


class Node:
    """A record read: names and values in the grammar's order. Immutable; equal when the values are."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, Value]]) -> None:
        self._items = tuple(items)

    def __contains__(self, name: str) -> bool:
        return any(name == own for own, _ in self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self._items == other._items

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        return f"Node({self._items!r})"

    @property
    def items(self) -> tuple[tuple[str, Value], ...]:
        """Every (name, value); a value is a text or a Node."""
        return self._items

    def texts(self, name: str) -> list[str]:
        """The texts of every leaf `name`."""
        return [value for own, value in self._items if own == name and isinstance(value, str)]

    def nodes(self, name: str) -> list["Node"]:
        """Every record `name`."""
        return [value for own, value in self._items if own == name and isinstance(value, Node)]

    def get(self, name: str) -> str | None:
        """The text of the leaf `name`, None when it is absent."""
        return next(iter(self.texts(name)), None)

    def text(self, name: str, default: str = "") -> str:
        """The text of the leaf `name`."""
        return next(iter(self.texts(name)), default)

    def number(self, name: str) -> int | None:
        """The leaf `name`, which the grammar made a number."""
        found = self.get(name)
        return None if found is None else int(found)

    def flag(self, name: str) -> bool:
        """The leaf `name`, which the grammar made a flag; False when it is absent."""
        return self.get(name) == "true"

    def node(self, name: str) -> "Node | None":
        """The record `name`, None when it is absent."""
        return next(iter(self.nodes(name)), None)


class Field:
    """An element of a record: `shape` is a Record or a leaf; it occurs `least`..`most` times."""

    __slots__ = ("least", "most", "name", "shape")

    def __init__(self, name: str, shape: Shape, least: int = 0, most: int = 1) -> None:
        self.name = name
        self.shape = shape
        self.least = least
        self.most = most


class Choice:
    """At least `least` (1, or 0) and at most one of these elements are there."""

    __slots__ = ("least", "names")

    def __init__(self, names: Iterable[str], least: int = 1) -> None:
        self.names = frozenset(names)
        self.least = least


class Record:
    """An element of elements. `typed`: it bears the attribute xsi:type, read as a leaf named XSI_TYPE."""

    __slots__ = ("choices", "fields", "rule", "typed")

    def __init__(
        self,
        *fields: Field,
        choices: Iterable[Choice] = (),
        rule: Callable[[Node], None] | None = None,
        typed: bool = False,
    ) -> None:
        self.fields = {field.name: field for field in fields}
        self.choices = tuple(choices)
        self.rule = rule
        self.typed = typed


class Grammar:
    """One kind of document. `elements_max` bounds its elements; the bytes are the reader's to bound."""

    def __init__(self, root: str, record: Record, elements_max: int = limits.XML_ELEMENTS_MAX) -> None:
        self.root = root
        self.record = record
        self.elements_max = elements_max
        self.stored: Callable[[bytes], Node] = lru_cache(limits.CONFIGS_PARSED_MAX)(self._stored)
        """A document this grammar wrote, read again (and kept in memory). Raises Corrupt."""

    def parse(self, document: bytes) -> Node:
        """The document as values. Raises MalformedXML, and what the rules of leaves and records raise."""
        return _read(self.record, read(document, self.root, self.elements_max))

    def write(self, node: Node) -> bytes:
        """The canonical document of a node this grammar read."""
        writer = Writer(self.root)
        _write(writer, node)
        return writer.document()

    def canonical(self, document: bytes) -> bytes:
        """`write(parse(document))`."""
        return self.write(self.parse(document))

    def _stored(self, document: bytes) -> Node:
        try:
            return self.parse(document)
        except S3Error as error:
            raise Corrupt(f"a stored {self.root} does not parse: {error.reason or error.message}") from error


def malformed(reason: str) -> S3Error:
    """MalformedXML, for rules; `reason` goes to the log."""
    return S3Error("MalformedXML", reason=reason)


def _read(record: Record, element: Element) -> Node:
    if (element.text or "").strip() or any((child.tail or "").strip() for child in element):
        raise malformed(f"text between the elements of {local_name(element)[:64]}")
    found: dict[str, list[Value]] = {}
    for child in element:
        name = local_name(child)
        field = record.fields.get(name)
        if field is None:
            raise malformed(f"unexpected element {name[:64]}")
        values = found.setdefault(name, [])
        if len(values) == field.most:
            raise malformed(f"more than {field.most} elements {name}")
        values.append(_value(field, child))
    _check_counts(record, found)
    items = [(name, value) for name in record.fields for value in found.get(name, ())]
    if record.typed:
        items.insert(0, (XSI_TYPE, _type_of(element)))
    node = Node(items)
    if record.rule is not None:
        record.rule(node)
    return node


def _value(field: Field, element: Element) -> Value:
    if isinstance(field.shape, Record):
        return _read(field.shape, element)
    if len(element):
        raise malformed(f"elements inside {field.name}")
    try:
        return field.shape(element.text or "")
    except ValueError as error:
        raise malformed(f"{field.name}: {error}") from None


def _check_counts(record: Record, found: dict[str, list[Value]]) -> None:
    for field in record.fields.values():
        if field.least and len(found.get(field.name, ())) < field.least:
            raise malformed(f"fewer than {field.least} elements {field.name}")
    for choice in record.choices:
        if not choice.least <= len(choice.names & found.keys()) <= 1:
            raise malformed(f"{'exactly' if choice.least else 'at most'} one of {', '.join(sorted(choice.names))}")


def _type_of(element: Element) -> str:
    kind = element.get(_XSI_ATTRIBUTE, "")
    if not kind:
        raise malformed("an element without xsi:type")
    return kind


def _write(writer: Writer, node: Node) -> None:
    for name, value in node.items:
        if name == XSI_TYPE:
            continue
        if isinstance(value, str):
            writer.text(name, value)
            continue
        kind = value.get(XSI_TYPE)
        if kind is None:
            writer.open(name)
        else:
            writer.open_typed(name, kind)
        _write(writer, value)
        writer.close(name)
