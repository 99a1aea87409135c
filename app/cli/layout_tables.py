"""The answers of `zapfs admin cluster`, for people. Knows the answers' fields (app/services/control/cluster_status)."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.cli.sizes import amount
from app.cli.tables import table

Row = Mapping[str, Any]


def status(answer: Row) -> list[str]:
    """Everything at a glance."""
    devices, transition = answer["devices"], answer["transition"]
    healed = "yes" if answer["healed"] else "no: " + "; ".join(answer["not_healed_because"])
    nodes = {state: [one for one, its in answer["nodes"].items() if its == state] for state in _NODE_STATES}
    states = ", ".join(f"{devices[state]} {state}" for state in ("in", "waiting", "draining", "out") if devices[state])
    filled = f"{devices['filled_percent']} % of {amount(devices['bytes_total'])} filled"
    lines = [
        f"cluster     {answer['cluster_id'] or 'not founded yet'}",
        f"epoch       {answer['epoch']}, of control state {answer['version']}",
        f"healed      {healed}",
        f"nodes       {_nodes(nodes)}",
        f"devices     {states or 'none'}; {filled}",
        f"transition  {_transition(transition)}",
        "",
    ]
    profiles = [_of(one, _PROFILE_COLUMNS) for one in answer["profiles"]]
    work = [_of(one, _WORK_COLUMNS) | _pace(one) for one in answer["work"]]
    return [*lines, *table(profiles), "", *table(work)]


_NODE_STATES = ("up", "down", "unknown")


def _nodes(nodes: Mapping[str, Sequence[str]]) -> str:
    """How many; those that are not up by name."""
    pieces = [f"{len(nodes['up'])} up"]
    for state in ("down", "unknown"):
        names = nodes[state]
        if names or state == "down":
            pieces.append(f"{len(names)} {state}{': ' + ', '.join(names) if names else ''}")
    return ", ".join(pieces)


_PROFILE_COLUMNS = (
    "number",
    "storage_class",
    "in_force",
    "redundancy",
    "full",
    "reduced",
    "critical",
    "lost",
    "unswept",
)
_WORK_COLUMNS = ("kind", "done", "waiting", "errors")


def _of(row: Row, columns: Sequence[str]) -> dict[str, Any]:
    return {name: _cell(name, row[name]) for name in columns}


def _transition(told: Row | None) -> str:
    if told is None:
        return "none"
    follows = "; another follows" if told["another_follows"] else ""
    epochs = f"epoch {told['from_epoch']} to {told['to_epoch']}"
    left = f"{told['groups_pending']} groups to go, ETA {_eta(told['eta_s'])}"
    return f"{epochs}: {told['complete_percent']} % complete, {left}{follows}"


def _pace(work: Row) -> dict[str, str]:
    return {"rate": f"{amount(work['bytes_per_s'])}/s", "limit": _limit(work), "eta": _eta(work["eta_s"])}


def _limit(work: Row) -> str:
    if work["paused"]:
        return "paused"
    return f"{amount(work['limit_bytes_per_s'])}/s" if work["limit_bytes_per_s"] else "of each host"


def _eta(seconds: int | None) -> str:
    if seconds is None:
        return "?"
    hours, rest = divmod(seconds, 3_600)
    if hours:
        return f"{hours} h {rest // 60} min"
    return f"{rest // 60} min {rest % 60} s" if rest >= 60 else f"{rest} s"


def rows(answer: Row) -> list[str]:
    """The one list of an answer as a table, bytes as amounts."""
    found = next(iter(answer.values()))
    return table([{name: _cell(name, value) for name, value in one.items()} for one in found])


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return amount(value) if name.startswith("bytes_") else value


def maps(answer: Row) -> list[str]:
    """One line for each group of each width."""
    found = [
        {"width": width, "group": group, "devices": homes, "complete": "no" if group in moving else "yes"}
        for width, groups in answer["maps"].items()
        for moving in [set(answer["pending"].get(width, ()))]
        for group, homes in enumerate(groups)
    ]
    return [f"epoch {answer['epoch']}, {answer['groups']} groups", "", *table(found)]


def changed(answer: Row) -> list[str]:
    """Which devices went where."""
    lines = [f"{what}: {', '.join(map(str, numbers))}" for what, numbers in answer.items() if numbers]
    if answer.get("out"):
        lines.append("Those that are out are forgotten by the same command when the transition has ended.")
    return lines


def healing(answer: Row) -> list[str]:
    """The settings of a kind."""
    limit = (
        f"{amount(answer['bytes_per_s'])}/s on each host" if answer["bytes_per_s"] else "as each host's settings say"
    )
    lines = [f"{answer['kind']}: {'paused' if answer['paused'] else 'goes on'}, {limit}"]
    return [*lines, f"every byte within {answer['days']} days"] if answer["days"] else lines
