"""The gRPC face: the control plane's calls, from other nodes to a manager."""
