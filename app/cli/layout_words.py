"""The words of `zapfs admin cluster` for devices, profiles and healing.

Knows arguments, the requests they become (docs/admin.md); sizes and rates are written as in settings.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.cli import layout_tables, waiting
from app.cli.sizes import size
from app.cli.words import Content, Given, Settled, Word

_CLUSTER: Final = "/v1/cluster"


def _devices(given: Given) -> Content:
    """WHAT...: a number is a device, anything else a node (`node=12` one named by digits)."""
    what = given["what"]
    content: dict[str, Any] = {
        "devices": [int(one) for one in what if one.isdigit()],
        "nodes": [one.removeprefix("node=") for one in what if not one.isdigit()],
    }
    content |= {name: True for name in ("waiting", "lost") if given.get(name)}
    if not what and not given.get("waiting"):
        raise ValueError("name devices by number, or nodes")
    return content


def _profile(given: Given) -> Content:
    """`redundancy`: a number of copies, or DATA+PARITY."""
    data, plus, parity = str(given["redundancy"]).partition("+")
    content: dict[str, Any] = {"data": int(data), "parity": int(parity)} if plus else {"copies": int(data)}
    if given.get("compression"):
        content["compression"] = given["compression"]
    if given.get("inline"):
        content["inline_bytes"] = size(given["inline"])
    return content


def _healing(given: Given) -> Content:
    content: dict[str, Any] = {}
    if given.get("rate"):
        content["rate"] = size(given["rate"])
    if given.get("days"):
        content["days"] = int(given["days"])
    if given.get("now"):
        content["now"] = True
    if given.get("pause") and given.get("go_on"):
        raise ValueError("--pause and --go-on exclude each other")
    if given.get("pause") or given.get("go_on"):
        content["paused"] = bool(given["pause"])
    return content


def _change(verb: str, text: str, *options: str, settled: Settled | None = None) -> Word:
    return Word(
        text, "POST", f"{_CLUSTER}/{verb}", ("what*",), options, _devices, layout_tables.changed, settled=settled
    )


def _heal(kind: str, text: str, settled: Settled, *options: str) -> Word:
    path, given = f"{_CLUSTER}/{kind}", ("rate", "pause!", "go_on!", *options)
    return Word(text, "POST", path, (), given, _healing, layout_tables.healing, settled=settled)


CLUSTER_WORDS: Final[Mapping[str, Word]] = {
    "status": Word("everything at a glance", "GET", _CLUSTER, shown=layout_tables.status),
    "nodes": Word("file hosts and gateways", "GET", f"{_CLUSTER}/nodes", shown=layout_tables.rows),
    "devices": Word("every device", "GET", f"{_CLUSTER}/devices", shown=layout_tables.rows),
    "profiles": Word("every profile, with its blobs", "GET", f"{_CLUSTER}/profiles", shown=layout_tables.rows),
    "layout": Word("which devices hold which groups", "GET", f"{_CLUSTER}/layout", shown=layout_tables.maps),
    "add": _change(
        "add", "let devices (numbers, nodes, or all with --waiting) take their share", "waiting!", settled=waiting.moved
    ),
    "drain": _change(
        "drain", "empty devices (numbers or nodes), which serve until they are empty", settled=waiting.moved
    ),
    "remove": _change("remove", "forget devices that are drained or whose node is down (--lost: or up)", "lost!"),
    "profile": Word(
        "define a storage class for what is written from now on: copies, or DATA+PARITY",
        "PUT",
        f"{_CLUSTER}/profiles/{{storage_class}}",
        ("storage_class", "redundancy"),
        ("compression", "inline"),  # --inline-bytes is the setting of one machine
        _profile,
    ),
    "repair": _heal("repair", "how fast each host makes whole what is short", waiting.mended),
    "rebalance": _heal("rebalance", "how fast each host sends fragments home", waiting.moved),
    "scrub": _heal(
        "scrub",
        "how often and how fast each host verifies all its bytes; --now begins",
        waiting.verified,
        "days",
        "now!",
    ),
    "redundancy": Word(
        "how redundant a bucket's chunks are, a bounded number of them; asked of a gateway",
        "GET",
        f"{_CLUSTER}/redundancy",
        ("bucket",),
        ("after",),
        query=("bucket", "after"),
    ),
}
