"""How the processes of one server live and die together.

Knows Linux's parent-death signal, subreapers and process groups (prctl(2), setpgid(2)). Must not know what the
processes do.
"""

import contextlib
import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, argument: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, argument, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def die_with(parent: int) -> None:
    """Have the kernel kill this process when `parent` (a process id) ends, however that ends.

    SIGKILL, since everything acknowledged is durable and an orphan would hold ports and the lock of the data
    directory. Exits at once when the parent is gone already.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Grandchildren whose parent ends become children of this process, so that it can wait for the last of them."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def lead_group() -> int | None:
    """Make this process the leader of its own group and keep the terminal it had.

    Returns the group that had the terminal before (to give it back at the end), None when there is nothing to give.
    """
    if os.getpgrp() == os.getpid():
        return None
    before = os.getpgrp()
    os.setpgid(0, 0)
    return before if _foreground(before, os.getpgrp()) else None


def give_terminal(group: int) -> None:
    """Hand the terminal (back) to a process group of this session."""
    _foreground(os.getpgrp(), group)


def _foreground(holder: int, group: int) -> bool:
    """Move the terminal's foreground from one group to another; False when `holder` did not have it."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    # Whoever is not in the foreground is stopped by SIGTTOU when it changes the foreground, unless it ignores that.
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        if os.tcgetpgrp(terminal) != holder:
            return False
        with contextlib.suppress(OSError):
            os.tcsetpgrp(terminal, group)
        return True
    finally:
        signal.signal(signal.SIGTTOU, before)
        os.close(terminal)
