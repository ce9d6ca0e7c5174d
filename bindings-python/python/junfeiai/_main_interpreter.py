"""Imported first: the native module keeps one state per process, and CPython refuses it in some kinds of subinterpreters only."""

from __future__ import annotations

import _thread


def _is_main() -> bool:
    if known := getattr(_thread, "_is_main_interpreter", None):
        return bool(known())
    try:
        # CPython 3.10 and 3.11. A program that was bundled may lack it, and has no subinterpreters.
        interpreters = __import__("_xxsubinterpreters")
    except ImportError:
        return True
    return bool(interpreters.get_current() == interpreters.get_main())


if not _is_main():
    raise ImportError(
        "junfeiai cannot be used in a subinterpreter: import it in the main interpreter, or use threads or processes "
        "(mod_wsgi: WSGIApplicationGroup %{GLOBAL})"
    )
