"""The one list of what may be larger than the house allows, each with its reason and the size it must not outgrow.

It only shrinks: an entry larger than what it exempts, or for something that is fine by now, fails the tests.
"""

FILES: dict[str, tuple[int, str]] = {}
"""path -> (lines, reason)"""

FUNCTIONS: dict[str, tuple[int, str]] = {}
"""path::name -> (lines, reason)"""

PARAMETERS: dict[str, tuple[int, str]] = {}
"""path::name -> (parameters, reason)"""

CLOCKS: dict[str, str] = {
    "app/services/call.py": "perf_counter measures stages; it dates nothing",
    "app/services/blobs.py": "monotonic decides when an attempt has become too old to commit unpinned",
    "app/services/gc.py": "monotonic measures how long a run took",
}
"""path -> why it may read a clock although it lies below roles/"""
