"""Reports of nodes as messages and back. Knows both shapes; fields bear the same names in both."""

from collections.abc import Mapping
from dataclasses import asdict

from app.core.layout.reports import DeviceReport, LedgerReport, NodeHealth, NodeReport, WorkReport
from app.proto import control_pb2 as pb


def report_message(report: NodeReport) -> pb.NodeReport:
    """Raises ValueError when a number is negative or above 64 bits."""
    return pb.NodeReport(**asdict(report))


def report_value(message: pb.NodeReport) -> NodeReport:
    """The inverse of `report_message`."""
    return NodeReport(
        message.node_id,
        message.role,
        message.sent_ms,
        message.epoch,
        message.address,
        tuple(
            DeviceReport(one.number, one.status, one.bytes_total, one.bytes_free, one.fragments, one.errors)
            for one in message.devices
        ),
        {
            name: LedgerReport(one.full, one.reduced, one.critical, one.lost, one.unswept, one.verified_ms)
            for name, one in message.ledger.items()
        },
        tuple(WorkReport(one.kind, one.done, one.waiting, one.bytes_per_s, one.errors) for one in message.work),
    )


def health_message(health: NodeHealth) -> pb.NodeHealth:
    """A node's health; without the report when there is none."""
    report = None if health.report is None else report_message(health.report)
    return pb.NodeHealth(node_id=health.node_id, up=health.up, seen_ms=health.seen_ms, report=report)


def health_values(reply: pb.HeartbeatReply) -> Mapping[str, NodeHealth]:
    """By node id."""
    return {
        one.node_id: NodeHealth(
            one.node_id, one.up, one.seen_ms, report_value(one.report) if one.HasField("report") else None
        )
        for one in reply.nodes
    }
