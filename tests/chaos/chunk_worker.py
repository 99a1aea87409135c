"""Programs the chaos tests start as processes of their own: `python -m tests.chaos.chunk_worker PROGRAM DEVICE ...`.

Each tells what it has done on standard output, one line per fact, after the fact.
"""

import os
import random
import sys
from pathlib import Path

import gevent

from app.adapters.chunks.store import SegmentStore
from app.core.errors import Missing
from app.runtime.offload import Offload
from tests.chunk_room import device_at, name_of, payload_of, read_all


def say(text: str) -> None:
    os.write(1, text.encode() + b"\n")


def putting(store: SegmentStore, first: int, seed: int) -> None:
    """Put and delete without end; lines are `+number` and `-number`."""
    rng = random.Random(seed)
    numbers = iter(range(first, first + 10**6))
    own: list[int] = []

    def work() -> None:
        for number in numbers:
            store.put(name_of(number), memoryview(payload_of(number, length_of(number))))
            say(f"+{number}")
            own.append(number)
            if rng.random() < 0.3:
                victim = own.pop(rng.randrange(len(own)))
                say(f"?{victim}")
                if store.delete(name_of(victim).blob_id):
                    say(f"-{victim}")
            if rng.random() < 0.02:
                store.maintain()

    gevent.joinall([gevent.spawn(work) for _ in range(6)], raise_error=True)


def length_of(number: int) -> int:
    return 1 + (number * 7919) % 200_000


def sweeping(store: SegmentStore, first: int, last: int) -> None:
    """Delete blobs of [first, last) with upkeep, say how many readers hold, and go on until all are gone.

    A merge moves what is held, and what has moved can be deleted while its reader reads on.
    """
    alive = list(range(first, last))
    while alive:
        gone = store.delete_many([name_of(number).blob_id for number in alive])
        alive = [number for number, dead in zip(alive, gone, strict=True) if not dead]
        say(f"left {len(alive)}")
        store.maintain()
        gevent.sleep(0.01)
    say("all gone")


def reading(store: SegmentStore, first: int, last: int) -> None:
    """Read blobs of [first, last) at random and compare, without end; `bad` when a byte is wrong."""
    rng = random.Random(first)
    say("reading")
    while True:
        number = rng.randrange(first, last)
        try:
            data = read_all(store, name_of(number).blob_id)
        except Missing:
            say(f"bad: {number} is missing")
            return
        if data != payload_of(number, length_of(number)):
            say(f"bad: {number} differs")
            return


def main() -> None:
    program, root, first, second = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    offload = Offload(4)
    store = SegmentStore(device_at(Path(root), segment_bytes_max=4 << 20), offload)
    {"putting": putting, "sweeping": sweeping, "reading": reading}[program](store, first, second)
    store.close()
    offload.close()


if __name__ == "__main__":
    main()
