"""The end of the child processes of ``multiprocessing``: those that were forked run no function of ``atexit``. What is known of paid
tasks is logged there as well.
"""

from __future__ import annotations

import os
import sys

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

_registered = False


def _end() -> None:
    # A child waits for its threads, but for daemons, after this only. One in a call would never come back to be waited for.
    try:
        sys.modules["threading"]._shutdown()
    finally:
        _native._shutdown()


def _end_with_child(_: ModuleType | None = None) -> None:
    # After all else of its end, which may still use a client.
    sys.modules["multiprocessing.util"].Finalize(None, _end, exitpriority=-1_000_000)


def _register() -> None:
    """For the children that begin from now on: each forgets at its beginning what its parent wants done at the end."""
    global _registered
    if not _registered and (util := sys.modules.get("multiprocessing.util")) is not None:
        util.register_after_fork(_native, _end_with_child)
        _registered = True


_register()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_register)
if (process := sys.modules.get("multiprocessing.process")) is not None and process.parent_process() is not None:
    # This is a child that has begun, of a parent that has not imported this library.
    _end_with_child()
