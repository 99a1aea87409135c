"""Work for several processes on one database, and what it needs."""

import multiprocessing
from collections.abc import Callable
from typing import Any

from app.core.errors import S3Error
from app.core.types import Version

PROCESSES = 4


def in_processes(work: Callable[..., None], *args: Any, count: int = PROCESSES) -> list[int | None]:
    """Run `work(index, *args)` in fresh processes; their exit codes."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(index, *args)) for index in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
    return [process.exitcode for process in processes]


def absent(current: Version | None) -> None:
    if current is not None:
        raise S3Error("PreconditionFailed")
