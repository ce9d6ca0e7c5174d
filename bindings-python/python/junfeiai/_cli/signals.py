"""Signals that end the command as Ctrl-C does."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator

# SIGBREAK is Ctrl-Break of Windows, by which other programs end a process group there.
NUMBERS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


class Signalled(KeyboardInterrupt):
    """Another signal that ends the command like Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _end(number: int, _: object) -> None:
    raise Signalled(number)


def install() -> None:
    """SIGTERM, and SIGHUP of a terminal that is closed, are as Ctrl-C. What is ignored (nohup) stays ignored."""
    for number in NUMBERS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def raise_ctrl_c() -> None:
    """Has Ctrl-C raised by asyncio.run, too, as the others are. From Python 3.11 on it would cancel the main task in place of
    that, and so the wait of a `finally` for what has left.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def handled() -> list[int]:
    """The signals that end the command: Ctrl-C and those that `install` took."""
    numbers = [signal.SIGINT, *NUMBERS]
    return [number for number in numbers if signal.getsignal(number) not in (signal.SIG_IGN, signal.SIG_DFL, None)]


@contextlib.contextmanager
def first(stop: Callable[[int], None]) -> Iterator[None]:
    """Calls `stop` in the running loop when one of the signals arrives that end the command: Ctrl-C and those that `install`
    took. The second one ends the process at once.
    """
    loop = asyncio.get_running_loop()

    def received(number: int) -> None:
        restore(number)
        stop(number)

    def watch(number: int) -> Callable[[], object]:
        try:
            loop.add_signal_handler(number, received, number)
        except NotImplementedError:
            # The loops of Windows; they wake up for a signal.
            before = signal.signal(number, lambda number, _: loop.call_soon_threadsafe(received, number))
            return lambda: signal.signal(number, before)
        return lambda: loop.remove_signal_handler(number)

    def restore(number: int) -> None:
        if undo := undone.pop(number, None):
            undo()

    numbers = handled()
    undone = {number: watch(number) for number in numbers}
    try:
        yield
    finally:
        for number in numbers:
            restore(number)
