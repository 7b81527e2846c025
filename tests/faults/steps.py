"""Kills a process before any one of the changes that it makes to a file system, or with a file opened and empty."""

import os
import signal
import sys
from contextlib import suppress

CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def killed_before(step, do):
    """Whether a process of its own that does it was killed before its `step`th change, the first being 1."""
    child = os.fork()
    if child == 0:
        try:
            _end_before(step)
            do()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status == 0 or os.WIFSIGNALED(status), "what is to be killed fails by itself"
    return os.WIFSIGNALED(status)


def _end_before(step):
    changes, seen = 0, True

    def one_more():
        nonlocal changes
        changes += 1
        if changes == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(event, arguments):
        nonlocal seen
        if not seen:
            return
        if event in CHANGES:
            one_more()
        elif event == "open" and arguments[2] & WRITING:
            path, _, flags = arguments
            one_more()
            if changes == step - 1:
                # The hook is called before the file is opened: it is opened here, and nothing is written to it.
                seen = False
                with suppress(OSError):
                    os.close(os.open(path, flags, 0o600))
                    one_more()
                seen = True
            else:
                one_more()

    sys.addaudithook(watch)
