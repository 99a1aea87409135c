"""The wire messages: what is committed is what protoc makes, and reports come through it whole."""

import shutil
from pathlib import Path

import pytest
from grpc_tools import protoc

from app.core.layout.reports import DeviceReport, LedgerReport, NodeHealth, NodeReport, WorkReport
from app.proto import control_pb2 as pb
from app.proto.reports import health_message, health_values
from app.proto.service import METHODS

ROOT = Path(__file__).parents[2]


def test_the_generated_code_is_that_of_the_description(tmp_path):
    description = tmp_path / "app/proto/control.proto"
    description.parent.mkdir(parents=True)
    shutil.copy(ROOT / "app/proto/control.proto", description)
    arguments = ["protoc", f"-I{tmp_path}", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    assert protoc.main([*arguments, "app/proto/control.proto"]) == 0
    for name in ("control_pb2.py", "control_pb2.pyi"):
        assert (ROOT / "app/proto" / name).read_bytes() == (description.parent / name).read_bytes()


def test_the_methods_are_those_of_the_description():
    described = pb.DESCRIPTOR.services_by_name["Control"].methods
    assert {one.name: (one.input_type.name, one.output_type.name, one.server_streaming) for one in described} == {
        name: (one.request.DESCRIPTOR.name, one.reply.DESCRIPTOR.name, one.streams) for name, one in METHODS.items()
    }


def test_every_message_on_its_own_way_says_who_sends_it():
    for method in METHODS.values():
        for message in (method.request, method.reply):
            assert message.DESCRIPTOR.fields_by_name["header"].message_type.name == "Header"


@pytest.mark.parametrize("up", [True, False])
def test_a_report_comes_through_the_wire_with_every_field(up):
    report = NodeReport(
        "file-1", "file", 2**41, 7, "10.0.0.1:8081",
        (DeviceReport(3, "failing", 2**50, 2**49, 12, 4), DeviceReport(255, "up", 1, 0, 0)),
        {"1": LedgerReport(1, 2, 3, 4, 5, 6), "2": LedgerReport()},
        (WorkReport("repair", 1, 2, 3, 4),),
    )  # fmt: skip
    healths = [NodeHealth("file-1", up, 5, report), NodeHealth("gateway-1", up, 6)]
    sent = pb.HeartbeatReply(nodes=map(health_message, healths)).SerializeToString()
    assert health_values(pb.HeartbeatReply.FromString(sent)) == {one.node_id: one for one in healths}
