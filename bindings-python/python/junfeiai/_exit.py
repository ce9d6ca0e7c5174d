"""What the interpreter's end does to callbacks that other threads are in."""

from __future__ import annotations


def interrupt(threads: list[int]) -> None:
    """Raises ``SystemExit`` in these threads, as soon as they run Python code."""
    try:
        import ctypes
    except ImportError:  # an interpreter without it only waits
        return
    for thread in threads:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(SystemExit))
