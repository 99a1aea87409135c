"""The local chunk store: a log of records in segment files, and an index that can be rebuilt from them.

Knows files, locks and checksums. Must not know objects, HTTP or who calls.
"""
