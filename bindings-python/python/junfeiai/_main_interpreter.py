"""Imported first: the native module keeps one state per process, and CPython refuses it in some kinds of subinterpreters only."""

from __future__ import annotations


def _refuse_subinterpreters() -> None:
    # The first is that of CPython 3.13 and newer. A program that was bundled has neither, and no subinterpreters.
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            interpreters = __import__(name)
        except ImportError:
            continue
        if interpreters.get_current() != interpreters.get_main():
            raise ImportError(
                "junfeiai cannot be used in a subinterpreter: import it in the main interpreter, or use threads or processes "
                "(mod_wsgi: WSGIApplicationGroup %{GLOBAL})"
            )
        return


_refuse_subinterpreters()
