"""The command ``junfeiai``.

Environment: JUNFEIAI_API_KEY (the key), JUNFEIAI_BASE_URL ("standard", "china", a base URL, several with commas),
JUNFEIAI_VIDEO_BASE_URL, JUNFEIAI_LOG (error, warn, info, debug, trace); HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE.

Example: junfeiai generate "A small red ball bouncing once" --seconds 6 -o ball.mp4

Exit codes: 0 done, 1 any other failure, 2 wrong usage or options, 3 the task failed, 4 the wait timed out, 5 key, rights
or balance, 6 network, 7 a create request of unknown outcome, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .. import JunFeiAIError, __version__, _errors
from . import commands
from .exit_codes import exit_code
from .output import Output

def _journal() -> str:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return str(Path(state) / "junfeiai" / "journal")


class _NotHere(argparse.Action):
    """Every user of the machine can read a command line, and it stays in the shell's history."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error("the key is never given on the command line: set JUNFEIAI_API_KEY or use --api-key-file FILE")


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    common = argparse.ArgumentParser(add_help=False)
    group = common.add_argument_group("connection and output")
    group.add_argument("--api-key-file", metavar="FILE", help="read the key from this file; otherwise JUNFEIAI_API_KEY")
    group.add_argument("--api-key", action=_NotHere, help=argparse.SUPPRESS)
    group.add_argument(
        "--base-url", metavar="URL", help='"standard", "china" or a base URL; otherwise JUNFEIAI_BASE_URL'
    )
    group.add_argument("--poll-interval", type=float, metavar="S", help="delay between polls in seconds (starts at 5, backs off to 10)")
    group.add_argument("--journal", metavar="FILE", default=None, help=f"records paid tasks ({_journal()}; a batch: always in its folder)")
    group.add_argument("--no-journal", action="store_true", help="keep no journal")
    group.add_argument("--json", action="store_true", help="one JSON object per result, for machines")
    group.add_argument(
        "--progress",
        choices=["auto", "bar", "plain", "none"],
        default="auto",
        help="a bar needs the package rich",
    )
    group.add_argument("-v", "--verbose", action="count", default=0, help="log each step; twice: log every request")

    request = argparse.ArgumentParser(add_help=False)
    group = request.add_argument_group("the video")
    group.add_argument("--model", help="grok-image-video (the default) or grok-video-1.5")
    group.add_argument("--seconds", metavar="N", help="length in seconds; without it the server makes and bills 4 s")
    group.add_argument("--size", metavar="WxH", help="frame size such as 1280x720")
    group.add_argument(
        "--image", action="append", metavar="URL|FILE", help="start image; several are reference images"
    )
    group.add_argument("--key", help="your own name for the job: it is created once per key, however often the command runs")
    group.add_argument("--retry-failed", action="store_true", help="create another task if the one of this key failed")
    group.add_argument("--validate", choices=["strict", "default", "off"], help="how strictly the request is checked before it is sent (default)")

    money = argparse.ArgumentParser(add_help=False)
    group = money.add_argument_group("the cost")
    group.add_argument("--max-cost", type=float, metavar="USD", help="refuse a create request that would cost more, before it is sent")
    group.add_argument("--max-cost-strict", action="store_true", help="refuse it as well if its cost is not known to be within --max-cost")

    wait = argparse.ArgumentParser(add_help=False)
    wait.add_argument("--timeout", type=float, metavar="S", help="maximum wait in seconds (1800)")

    save = argparse.ArgumentParser(add_help=False)
    group = save.add_argument_group("the file")
    group.add_argument("-o", "--output", metavar="FILE", help="where to save it (TASK_ID.mp4)")
    group.add_argument("--overwrite", action="store_true", help="replace an existing file")
    group.add_argument("--connections", type=int, default=1, metavar="N", help="connections used at once, 1-16 (1)")
    group.add_argument("--sha256", action="store_true", help="compute the hash of the file")

    top = argparse.ArgumentParser(
        prog="junfeiai",
        description="Client for the JunFeiAI video API: creates, waits for and downloads videos safely.",
        epilog=(__doc__ or "").split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"junfeiai {__version__}")
    sub = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        return sub.add_parser(name, help=text, description=text, parents=[*parents, common], allow_abbrev=False)

    add("generate", "create a video, wait for it and save it; this costs money", request, money, wait, save).add_argument(
        "prompt", help="what the video shows"
    )
    add("create", "create a task and print its id; this costs money", request, money).add_argument(
        "prompt", help="what the video shows"
    )
    add("estimate", "print what a create request will cost; creates nothing and costs nothing", request).add_argument(
        "prompt", nargs="?", default="a video", help="what the video shows; the cost does not depend on it"
    )
    add("get", "print a task's status").add_argument("task_id")
    add("wait", "wait for a task", wait).add_argument("task_id")
    add("save", "save the video of a task that has succeeded", save).add_argument("task_id")
    batch = add("batch", "make every video of a list; run it again to resume; this costs money", money, wait)
    batch.add_argument("file", metavar="FILE.jsonl", help='a request per line: {"prompt": "…", "seconds": 6}')
    batch.add_argument("-o", "--output", metavar="DIR", required=True, help="folder for the videos and the journal")
    batch.add_argument("--concurrency", type=int, default=4, metavar="N", help="tasks at a time (4)")
    batch.add_argument("--connections", type=int, default=1, metavar="N", help="connections for each file (1)")
    spent = add("spent", "print what was spent per day and model, from the journal; asks the server nothing")
    spent.add_argument("--since", metavar="DATE", help="from this day on, in UTC, such as 2026-01-31 (everything)")
    pending = add("pending", "list paid tasks that are not saved; with -o, wait for them and save them")
    pending.add_argument("-o", "--output", metavar="DIR", help="save everything there")
    add("reconcile", "find out what became of create requests whose response was lost; costs nothing. With JUNFEIAI_ACCOUNT_TOKEN set, "
        "the account's access token, lost tasks are found as well (JUNFEIAI_ACCOUNT_USER: the account's number, which older servers want)")
    doctor = add("doctor", "check endpoints, key, clock and proxy; creates nothing and costs nothing")
    doctor.add_argument("--account", action="store_true", help="query the models and the balance as well")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    options = parser().parse_args(arguments)
    if options.journal is None and not options.no_journal:
        options.journal = _journal()
    output = Output(json=options.json, progress=options.progress)
    if output.complaint:
        print(f"error: {output.complaint}", file=sys.stderr)
        return 2
    _logging(options.verbose)
    # Here `output` prints how to resume unfinished tasks.
    _errors.LOG_LEFT = False
    try:
        code: int = commands.COMMANDS[options.command](options, output)
        return code
    except JunFeiAIError as error:
        output.failure(error)
        return exit_code(error)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (ValueError, OverflowError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        output.interrupted(error)
        return 130


def _logging(verbose: int) -> None:
    word = os.environ.get("JUNFEIAI_LOG") or {0: "", 1: "info"}.get(verbose, "debug")
    if word:
        import logging

        levels = {"trace": 5, "debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "off": 100}
        logging.basicConfig(format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
        logging.getLogger("junfeiai").setLevel(levels.get(word.lower(), 20))
