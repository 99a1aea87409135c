"""Bytes on their way in and out: chunks, digests, frames."""
