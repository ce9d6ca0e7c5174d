"""One video a day from cron. Running it again, by hand or by a second cron line, pays for nothing again.

    0 6 * * *  cd /srv/films && JUNFEIAI_JOURNAL=daily.journal .venv/bin/python cron_daily.py

    python cron_daily.py 2026-11-29    # another day

It needs no lock of its own (no ``flock``): the journal knows which days were paid for, and by whom they are being worked
on. A run that was killed is finished by the next one, with the days before it.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys

from junfeiai import Client, JunFeiAIError
from junfeiai.jobs import run

PREFIX = "daily/"


def calendar_day(text: str) -> str:
    """The day as it is written in keys and file names; anything else is refused, before it is paid for."""
    return datetime.date.fromisoformat(text).isoformat()


def film(client: Client, day: str) -> str:
    """The video of a day. The request depends on the day alone: the same key must mean the same request."""
    path = run(client, f"videos/{day}.mp4", key=PREFIX + day, prompt=f"The weather of {day} as a short cartoon", seconds=6)
    return f"{day}: {path}"


def main(day: str) -> int:
    interval = os.environ.get("JUNFEIAI_POLL_SECONDS")
    with Client(journal=os.environ["JUNFEIAI_JOURNAL"], poll_interval=float(interval) if interval else None) as client:
        left = {entry.key.removeprefix(PREFIX) for entry in client.videos.pending() if entry.key and entry.key.startswith(PREFIX)}
        failed = 0
        for one in sorted(left | {day}):
            try:
                print(film(client, one), flush=True)
            except JunFeiAIError as error:
                # cron sends what is printed by mail. The other days are not its fault.
                print(f"{one}: {error}", file=sys.stderr, flush=True)
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Makes the video of a day, and those of earlier days that are not finished.")
    parser.add_argument("day", nargs="?", type=calendar_day, default=datetime.date.today().isoformat(), help="such as 2026-11-29; today without it")
    sys.exit(main(parser.parse_args().day))
