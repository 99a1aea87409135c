"""The client's side of the wire, written independently of the server: signing, framing, raw connections."""
