"""Signals that end the command as Ctrl-C does."""

from __future__ import annotations

import signal

NUMBERS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Signalled(KeyboardInterrupt):
    """Another signal that ends the command like Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def install() -> None:
    """SIGTERM, and SIGHUP of a terminal that is closed, are as Ctrl-C. What is ignored (nohup) stays ignored."""

    def end(number: int, _: object) -> None:
        raise Signalled(number)

    for number in NUMBERS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def handled() -> list[int]:
    """The signals that end the command: Ctrl-C and those that `install` took."""
    numbers = [signal.SIGINT, *NUMBERS]
    return [number for number in numbers if signal.getsignal(number) not in (signal.SIG_IGN, signal.SIG_DFL, None)]
