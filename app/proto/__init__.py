"""Wire messages of the control plane: control.proto, what protoc made of it, and the way between them and values.

Must not know who sends them. control_pb2.py and control_pb2.pyi are generated; tests/unit/test_proto.py compares.
"""
