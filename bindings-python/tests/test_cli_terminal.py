"""What a person sees of the command in a terminal: recorded by a terminal in memory, as text, and kept in target/recordings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from commands import _state as _state
from commands import command, write_list
from conftest import KEY, Emulator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")

COLUMNS, LINES = 80, 24
RECORDINGS = Path(__file__).resolve().parents[2] / "target" / "recordings"


def record(name: str, arguments: Sequence[str]) -> tuple[list[str], str]:
    """Runs the command in a terminal of its own. Gives each screen that was seen, and the last one."""
    import fcntl
    import pty
    import struct
    import termios

    import pyte

    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
    process = subprocess.Popen(arguments, stdin=there, stdout=there, stderr=there, env=env)
    os.close(there)
    seen: list[str] = []
    while True:
        try:
            piece = os.read(here, 1024)
        except OSError:
            break
        if not piece:
            break
        # One read holds what was drawn since the last: all that stood there for a while is seen, however late this process reads.
        for part in re.split(rb"(?=[\r\n\x1b])", piece):
            stream.feed(part)
            shown = "\n".join(line.rstrip() for line in screen.display).strip()
            if not seen or shown != seen[-1]:
                seen.append(shown)
    os.close(here)
    assert process.wait(60) == 0, seen[-1:]
    RECORDINGS.mkdir(parents=True, exist_ok=True)
    (RECORDINGS / f"{name}.txt").write_text("\n\n--------\n\n".join(seen) + "\n", encoding="utf-8")
    assert KEY not in "".join(seen)
    return seen, seen[-1]


def test_generate(environment: Path, emulator: Emulator) -> None:
    seen, last = record("generate", command("generate", "a red ball", "--seconds", "4", "-o", "ball.mp4"))
    assert re.fullmatch(
        r"""endpoint  http://127\.0\.0\.1:\d+/v1
task      task_\w+ \(billed 4 s\)
(?:status    \w+ +\d+ %
)+file      ball\.mp4
bytes     \d+ in 1 request\(s\), \d+\.\d\d s
video     1280x720, 4\.00 s, structure checked
charge    0\.2 USD \(100000 units\)
play it   open it in a browser, or: ffplay ball\.mp4""",
        last,
    ), last
    # The bar takes one line, and none when the file is there.
    bars = [screen for screen in seen if "saving" in screen]
    assert bars
    assert all(screen.count("saving") == 1 and "saving" in screen.split("\n")[-1] for screen in bars)


def test_batch(environment: Path, emulator: Emulator) -> None:
    write_list(environment, 6)
    seen, last = record("batch", command("batch", "list.jsonl", "-o", "out"))
    lines = last.split("\n")
    assert lines[-1] == "6 of 6: 6 saved; charged 1.2 USD; see out/results.jsonl"
    assert sorted(re.sub(r"task_\w+|out/\w+\.mp4|\d+ bytes", "X", line) for line in lines[:-1]) == sorted(
        line for number in range(1, 7) for line in (f"line {number}: task X", f"line {number}: saved X (X, 0.2 USD)")
    )
    # The bar is always the last line, and counts upwards.
    counts = []
    for screen in seen[:-1]:
        bars = [line for line in screen.split("\n") if line.startswith("[")]
        assert len(bars) <= 1 and (not bars or screen.endswith(bars[0])), screen
        counts += [int(found[1]) for line in bars if (found := re.match(r"\[[#-]{30}\] (\d) of 6\b", line))]
    assert counts == sorted(counts) and counts[0] == 0, counts
    assert counts[-1] > 0
