"""The command ``junfeiai``.

Environment: JUNFEIAI_API_KEY (the key), JUNFEIAI_BASE_URL ("standard", "china", a base URL, several with commas),
JUNFEIAI_VIDEO_BASE_URL, JUNFEIAI_LOG (error, warn, info, debug, trace); HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE.

Example: junfeiai generate "A small red ball bouncing once" --seconds 6 -o ball.mp4

Exit codes: 0 done, 1 any other failure, 2 wrong usage or options, 3 the task failed, 4 the wait timed out, 5 key, rights
or balance, 6 network, 7 a create request of unknown outcome, 130 Ctrl-C, 143 SIGTERM, 129 a closed terminal.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .. import ConfigError, JunFeiAIError, _errors
from . import commands, signals
from .client_options import connection, read_as_utf8
from .exit_codes import exit_code
from .journals import default_journal, named_journal
from .output import Output, json_text, os_error, readable, standard_streams, without_key, write


class _Parser(argparse.ArgumentParser):
    """Says what is wrong without the key, which somebody may have written where it cannot be taken; to machines as well."""

    json = False
    words: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        message = without_key(message) + self._about_dashes(message)
        if _Parser.json:
            write(json_text({"error": {"kind": "config", "text": message}}), sys.stdout)
        super().error(readable(message))

    def _about_dashes(self, message: str) -> str:
        """How to write a value, or an argument, that begins with ``-``, where such a word was not taken for one."""
        if named := re.fullmatch(r"argument (?:(-\w)/)?(--[\w-]+): expected one argument", message):
            pairs = zip(_Parser.words, _Parser.words[1:])
            if any(word in named.groups() and value.startswith("-") for word, value in pairs):
                return f"; a value that begins with - is written {named[2]}=VALUE"
        elif message.startswith("the following arguments are required: "):
            if any(word.startswith("-") and word.partition("=")[0] not in self._option_string_actions for word in _Parser.words):
                return "; one that begins with - is written behind --, at the end"
        return ""


class _NotHere(argparse.Action):
    """Every user of the machine can read a command line, and it stays in the shell's history."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error("the key is never given on the command line: set JUNFEIAI_API_KEY or use --api-key-file FILE")


class _Version(argparse.Action):
    """Prints what was built for what, for reports of defects."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from .build_facts import build_facts

        write(build_facts(), sys.stdout)
        parser.exit()


def _common(**more: Any) -> _Parser:
    """Options of every command, which may stand before or after it."""
    common = _Parser(add_help=False, **more)
    group = common.add_argument_group("connection and output")
    group.add_argument("--api-key-file", metavar="FILE", help="read the key from this file; otherwise JUNFEIAI_API_KEY")
    group.add_argument("--api-key", action=_NotHere, help=argparse.SUPPRESS)
    group.add_argument(
        "--base-url", metavar="URL", help='"standard", "china" or a base URL; otherwise JUNFEIAI_BASE_URL'
    )
    group.add_argument("--poll-interval", type=float, metavar="S", help="delay between polls in seconds (starts at 5, backs off to 10)")
    where = default_journal() or "this user has no home folder for one"
    group.add_argument(
        "--journal", metavar="FILE|DIR", help=f"records paid tasks ({where}); a batch always keeps one in its folder DIR".replace("%", "%%")
    )
    group.add_argument("--no-journal", action="store_true", help="keep no journal")
    group.add_argument("--json", action="store_true", help="one JSON object per result, for machines")
    group.add_argument("--progress", choices=["auto", "bar", "plain", "none"], help="a bar needs the package rich")
    group.add_argument("-v", "--verbose", action="count", help="log each step; twice: log every request")
    return common


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    common = _common(argument_default=argparse.SUPPRESS)

    request = _Parser(add_help=False)
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

    money = _Parser(add_help=False)
    group = money.add_argument_group("the cost")
    group.add_argument("--max-cost", type=float, metavar="USD", help="refuse a create request that would cost more, before it is sent")
    group.add_argument("--max-cost-strict", action="store_true", help="refuse it as well if its cost is not known to be within --max-cost or --budget")
    group.add_argument("--budget", type=float, metavar="USD", help="refuse a create request if all of this UTC day would cost more together, as the journal says (a batch: its folder's)")

    wait = _Parser(add_help=False)
    wait.add_argument("--timeout", type=float, metavar="S", help="maximum wait in seconds (1800)")

    save = _Parser(add_help=False)
    group = save.add_argument_group("the file")
    group.add_argument("-o", "--output", metavar="FILE|DIR/", help="where to save it (TASK_ID.mp4); with a slash at the end: in this folder")
    group.add_argument("--overwrite", action="store_true", help="replace an existing file")
    group.add_argument("--connections", type=int, default=1, metavar="N", help="connections used at once, 1-16 (1)")
    group.add_argument("--sha256", action="store_true", help="compute the hash of the file")

    kept = _Parser(add_help=False)
    kept.add_argument("--journal-prompts", action="store_true", help="keep prompts in the journal, for junfeiai pending")

    top = _Parser(
        prog="junfeiai",
        usage="junfeiai [OPTIONS] COMMAND ...",
        parents=[_common()],
        allow_abbrev=False,
        description="Client for the JunFeiAI video API: creates, waits for and downloads videos safely.",
        epilog=(__doc__ or "").partition("\n\n")[2],  # none with -OO
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.set_defaults(progress="auto", verbose=0)
    top.add_argument("--version", action=_Version, nargs=0, help="print the version and what it was built for")
    sub = top.add_subparsers(dest="command", required=True, metavar="COMMAND", prog="junfeiai")

    def add(name: str, text: str, *parents: _Parser) -> _Parser:
        return sub.add_parser(name, help=text, description=text, parents=[*parents, common], allow_abbrev=False)

    add("generate", "create a video, wait for it and save it; this costs money", request, money, kept, wait, save).add_argument(
        "prompt", help="what the video shows"
    )
    add("create", "create a task and print its id; this costs money", request, money, kept).add_argument(
        "prompt", help="what the video shows"
    )
    add("estimate", "print what a create request will cost; creates nothing and costs nothing", request).add_argument(
        "prompt", nargs="?", default="a video", help="what the video shows; the cost does not depend on it"
    )
    add("get", "print a task's status").add_argument("task_id")
    add("wait", "wait for a task", wait).add_argument("task_id")
    add("save", "save the video of a task that has succeeded", save).add_argument("task_id")
    batch = add("batch", "make every video of a list; run it again to resume; this costs money", money, kept, wait)
    batch.add_argument(
        "file", metavar="FILE", help='a request per line, {"prompt": "…", "seconds": 6}, or CSV with a line of field names; - for standard input'
    )
    batch.add_argument("-o", "--output", metavar="DIR", required=True, help="folder for the videos, the journal and results.jsonl")
    batch.add_argument("--format", choices=["auto", "jsonl", "csv"], default="auto", help="the form of the list (auto)")
    batch.add_argument("--allow-outside", action="store_true", help="let the list name outputs outside of the folder")
    batch.add_argument("--no-wait", action="store_true", help="fail if another batch is working in the folder, in place of joining it")
    batch.add_argument("--concurrency", type=int, default=4, metavar="N", help="tasks at a time (4)")
    batch.add_argument("--connections", type=int, default=1, metavar="N", help="connections for each file (1)")
    spent = add("spent", "print what was spent per day and model, from the journal; asks the server nothing")
    spent.add_argument("--since", metavar="DATE", help="from this day on, in UTC, such as 2026-01-31 (everything)")
    resolve = add("resolve", "say what became of a create request of unknown outcome; see your account's usage page first")
    resolve.add_argument("name", metavar="INTENT", help="its name in junfeiai pending")
    made = resolve.add_mutually_exclusive_group(required=True)
    made.add_argument("task_id", metavar="TASK_ID", nargs="?", help="the task that it created")
    made.add_argument("--not-created", action="store_true", help="it created nothing: it may be sent again")
    forget = add("forget", "take a task or a create request off the list of what is pending")
    forget.add_argument("name", metavar="TASK_ID|INTENT", help="its name in junfeiai pending; a forgotten create request may be sent again")
    add("export", "list everything that a journal says was paid for, even a damaged one; reads the file and changes nothing")
    pending = add("pending", "list paid tasks that are not saved; with -o, wait for them and save them")
    pending.add_argument("-o", "--output", metavar="DIR", help="save everything there")
    add("reconcile", "find out what became of create requests whose response was lost; costs nothing. With JUNFEIAI_ACCOUNT_TOKEN set, "
        "the account's access token, lost tasks are found as well (JUNFEIAI_ACCOUNT_USER: the account's number, which older servers want)")
    doctor = add("doctor", "check endpoints, key, clock and proxy; creates nothing and costs nothing")
    doctor.add_argument("--account", action="store_true", help="query the models and the balance as well")
    for name, text in (
        ("serve", "serve a file or the video of a task to players on this machine, with seeking; prints the address"),
        ("play", "play a file or the video of a task"),
    ):
        local = add(name, text)
        local.add_argument("what", metavar="FILE|TASK_ID")
        local.add_argument("--port", type=int, default=0, metavar="N", help="port on 127.0.0.1 (a free one)")
        if name == "play":
            local.add_argument("--player", metavar="COMMAND", help="program to play it with, or browser (mpv, vlc, ffplay or the browser)")
    mcp = add("mcp", "offer these videos to an agent, as a server of the Model Context Protocol; its create requests cost money", money)
    mcp.add_argument("-o", "--output", metavar="DIR", help="folder for the videos (junfeiai-videos in the home folder)")
    mcp.add_argument("--http", type=int, metavar="PORT", help="serve streamable HTTP on 127.0.0.1 in place of stdio; 0 takes a free port")
    mcp.add_argument("--call-limit", type=float, default=45, metavar="S", help="longest time of one call in seconds (45)")
    completion = add("completion", "print a script that completes commands and options in a shell; needs shtab")
    completion.add_argument("shell", choices=["bash", "zsh", "fish", "tcsh"])
    return top


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    standard_streams()
    _Parser.words = sys.argv[1:] if arguments is None else arguments
    _Parser.json = "--json" in _Parser.words
    top = parser()
    options = top.parse_args(arguments)
    if wrong := read_as_utf8(options):
        top.error(f"argument {wrong}: it is not UTF-8")
    for name in ("task_id", "name"):
        value = getattr(options, name, None) or ""
        if without_key(value) != value:
            # It would be sent in an address, kept in the journal and printed.
            top.error(f"argument {name}: it holds an API key, and no task has such an id: junfeiai pending lists what there is")
    output = Output(json=options.json, progress=options.progress)
    output.options, output.connection = frozenset(vars(options)), connection(options)
    if output.complaint:
        output.refused("config", output.complaint)
        return 2
    _logging(options.verbose)
    # Here `output` prints how to resume unfinished tasks.
    _errors.LOG_LEFT = False
    signals.install()
    try:
        if options.journal is not None:
            options.journal = named_journal(options.journal)
        if getattr(options, "output", None) == "":
            raise ConfigError("--output is empty: name a file or a folder")
        if getattr(options, "output", None) == "-":
            raise ConfigError("--output is -, and videos are not written to standard output: name a file or a folder; ./- is one of that name")
        code: int = commands.COMMANDS[options.command](options, output)
        return code
    except JunFeiAIError as error:
        output.journal = output.journal or (None if options.no_journal else options.journal)
        output.failure(error)
        return exit_code(error)
    except OSError as error:
        output.refused("io", os_error(error))
        return 2
    except (ValueError, OverflowError) as error:
        output.refused("invalid_request", output.as_given(str(error)))
        return 2
    except KeyboardInterrupt as error:
        output.interrupted(error)
        return 128 + getattr(error, "number", signal.SIGINT)


def _logging(verbose: int) -> None:
    word = os.environ.get("JUNFEIAI_LOG") or {0: "", 1: "info"}.get(verbose, "debug")
    if word:
        import logging

        levels = {"trace": 5, "debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "off": 100}
        logging.basicConfig(format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
        logging.getLogger("junfeiai").setLevel(levels.get(word.lower(), 20))
