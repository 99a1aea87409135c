"""The cluster: how it is, and changing its devices, profiles and healing. Knows paths and shapes only.

Of the operator's account only.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pydantic import Field

from app.faces.http.admin.endpoints import SYSTEM, Asked, Endpoint, Shape, Told
from app.services.control.cluster_changes import Chosen, ClusterChanges
from app.services.control.cluster_status import ClusterStatus


class DevicesShape(Shape):
    """Which devices: by number, all of some nodes, all that wait."""

    devices: list[int] = Field(default_factory=list)
    nodes: list[str] = Field(default_factory=list)
    waiting: bool = False


class RemovedDevicesShape(DevicesShape):
    """`lost`: although their nodes are up; what is on them is given up."""

    lost: bool = False


class ProfileShape(Shape):
    """Copies, or data and parity fragments. `compression`: zstd or none. What is not given stays, or is the default."""

    copies: int | None = None
    data: int | None = None
    parity: int | None = None
    compression: str | None = None
    inline_bytes: int | None = None


class HealingShape(Shape):
    """`rate`: bytes a second of one file host, 0 for its own setting."""

    rate: int | None = None
    paused: bool | None = None


class ScrubShape(HealingShape):
    """`days`: every byte is read once in so many. `now`: begin a pass at once."""

    days: int | None = None
    now: bool | None = None


def endpoints(status: ClusterStatus, changes: ClusterChanges) -> list[Endpoint]:
    """Served by managers."""
    return [*_status(status), *_devices(changes), _profile(changes), *_healing(changes)]


def _status(status: ClusterStatus) -> list[Endpoint]:
    def rows(name: str, told: Callable[[], Any]) -> Callable[[Asked], Told]:
        return lambda _: Told({name: told()})

    lists: tuple[tuple[str, Callable[[], Any], str], ...] = (
        ("nodes", status.nodes, "Every file host, and each gateway that was heard of."),
        ("devices", status.devices, "Every device: state, status, how full it is."),
        ("profiles", status.profiles, "Every profile with its blobs by redundancy."),
    )
    told = [
        Endpoint("GET", f"/cluster/{name}", f"List{name.capitalize()}", text, rows(name, of), SYSTEM, returned=Told)
        for name, of, text in lists
    ]
    return [
        Endpoint(
            "GET",
            "/cluster",
            "GetCluster",
            "Everything at a glance: epoch, whether it is healed and why not, the transition in flight, work and ETA.",
            lambda _: Told(status.summary()),
            SYSTEM,
            returned=Told,
        ),
        *told,
        Endpoint(
            "GET",
            "/cluster/layout",
            "GetLayout",
            "The maps from placement groups to devices.",
            lambda _: Told(status.layout()),
            SYSTEM,
            returned=Told,
        ),
    ]


def _devices(changes: ClusterChanges) -> list[Endpoint]:
    def of(act: Callable[[Chosen], Any]) -> Callable[[Asked], Told]:
        def answers(asked: Asked) -> Told:
            given = asked.body.model_dump()
            chosen = Chosen(
                tuple(given["devices"]), tuple(given["nodes"]), given["waiting"], lost=given.get("lost", False)
            )
            return Told(act(chosen))

        return answers

    return [
        Endpoint(
            "POST",
            "/cluster/add",
            "AddDevices",
            "Devices take their share from the next epoch on.",
            of(changes.add),
            SYSTEM,
            body=DevicesShape,
            returned=Told,
        ),
        Endpoint(
            "POST",
            "/cluster/drain",
            "DrainDevices",
            "Devices are emptied, and serve until they are.",
            of(changes.drain),
            SYSTEM,
            body=DevicesShape,
            returned=Told,
        ),
        Endpoint(
            "POST",
            "/cluster/remove",
            "RemoveDevices",
            "Forget devices that are empty, or lost.",
            of(changes.remove),
            SYSTEM,
            body=RemovedDevicesShape,
            returned=Told,
        ),
    ]


def _profile(changes: ClusterChanges) -> Endpoint:
    def put(asked: Asked) -> None:
        changes.put_profile(asked.names["storage_class"], asked.body.model_dump(exclude_none=True))

    return Endpoint(
        "PUT",
        "/cluster/profiles/{storage_class}",
        "PutProfile",
        "How objects of a storage class are kept from now on.",
        put,
        SYSTEM,
        body=ProfileShape,
    )


def _healing(changes: ClusterChanges) -> list[Endpoint]:
    def of(kind: str) -> Callable[[Asked], Told]:
        return lambda asked: Told(
            {"kind": kind, **asdict(changes.heal(kind, asked.body.model_dump(exclude_none=True)))}
        )

    rows: tuple[tuple[str, str, type[Shape], str], ...] = (
        ("repair", "Repair", HealingShape, "How fast lost fragments are made anew."),
        ("rebalance", "Rebalance", HealingShape, "How fast fragments move to where they belong."),
        ("scrub", "Scrub", ScrubShape, "How fast stored bytes are verified."),
    )
    return [
        Endpoint("POST", f"/cluster/{kind}", f"Set{word}", text, of(kind), SYSTEM, body=body, returned=Told)
        for kind, word, body, text in rows
    ]
