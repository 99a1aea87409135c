"""The face file hosts show to members of the cluster: fragments in and out (docs/design/file-host.md)."""
