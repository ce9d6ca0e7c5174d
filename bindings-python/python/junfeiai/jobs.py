"""For job engines: one job from its request to its file, which may be run any number of times and is paid for once.

Engines run a job more than once: after a worker that died, after a timeout, because somebody pressed the button twice. Only
the job itself can tell, by its ``key`` in the client's journal. ``run`` is for engines that may hold a worker while the video
is made, ``step`` for those that call again later. See the folder ``examples``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

from . import Client, FileLockedError, JunFeiAIError, KeyRecord, TargetExistsError

T = TypeVar("T")


def run(
    client: Client,
    path: str | os.PathLike[str],
    *,
    key: str,
    timeout: float | None = None,
    interval: float = 1.0,
    save: dict[str, Any] | None = None,
    **request: Any,
) -> Path:
    """Creates, waits for and saves the video of one job; returns the path of the file. Blocks until it is there.

    ``client`` needs a ``journal`` that all workers share: a file for the workers of one machine, else the address of a
    database. ``key`` is the job's own name, and ``request`` holds the other arguments of ``client.videos.create``.
    ``timeout`` is that of the wait for the task, in seconds; the default is the client's ``wait_timeout``. ``save`` holds
    options of ``save``, without the callback. If another worker is saving the same file, it is asked again every ``interval`` seconds.

    Raises ``TargetExistsError`` before anything is paid if another file has this name, ``TaskFailedError`` if the video
    failed (the charge is returned; ``retry_failed=True`` pays for another one), and ``CreateOutcomeUnknownError`` if a worker
    died between sending the request and writing down its answer: that job is never sent again before ``reconcile`` or
    ``resolve_unknown`` has settled it.
    """

    pause = interval_in_seconds(interval)

    def work(options: dict[str, Any]) -> Path:
        video = client.videos.generate(**request, key=key, timeout=timeout)
        return video.save(path, **options).path

    while (done := _unless_busy(client, path, key, save, work)) is None:
        time.sleep(pause)
    return done


def step(client: Client, path: str | os.PathLike[str], *, key: str, save: dict[str, Any] | None = None, **request: Any) -> bool:
    """Does what can be done now for one job: creates its task, or asks how far it is, or saves its video. True when the file
    is there, else call it again in some seconds. It does not wait for the task, and a query that fails for the moment
    raises nothing.

    The arguments and errors are those of ``run``.
    """

    def work(options: dict[str, Any]) -> bool:
        task = client.videos.create(**request, key=key)
        if task.reused and not task.done:
            try:
                task = task.refresh()
            except JunFeiAIError as error:
                if not error.transient:
                    raise
        if task.done:
            task.video().save(path, **options)
        return task.done

    return bool(_unless_busy(client, path, key, save, work))


def interval_in_seconds(interval: object) -> float:
    """The pause of a job, which is judged before anything is paid: it is needed only after that."""
    if isinstance(interval, bool) or not isinstance(interval, Real):
        raise _wrong_type("interval", "float", interval)
    # Compared as it is: an int may be too large for a float.
    if not 0 <= interval <= 86_400:  # type: ignore[operator]
        raise ValueError("argument 'interval': it must be a number of seconds from 0 to 86400 (24 hours)")
    return float(interval)


def _wrong_type(name: str, expected: str, value: object) -> TypeError:
    return TypeError(f"argument '{name}': expected {expected}, got {type(value).__name__}")


def _unless_busy(
    client: Client, target: str | os.PathLike[str], key: str, save: dict[str, Any] | None, work: Callable[[dict[str, Any]], T]
) -> T | None:
    """The result of ``work``, which is not begun before the file can be written; ``None`` if another worker has the same job."""
    if not isinstance(client, Client):
        raise _wrong_type("client", "Client", client)
    if save is not None and not (isinstance(save, Mapping) and all(isinstance(name, str) for name in save)):
        raise _wrong_type("save", "a dict of options by their names", save)
    try:
        path = Path(target)
    except TypeError:
        raise _wrong_type("path", "str or os.PathLike", target) from None
    options: dict[str, Any] = {"create_parents": True, **(save or {})}
    before = _own_file(client, path, key)
    tried = False
    while True:
        try:
            if before is None:
                # Before anything is paid.
                client.videos.check_save(path, **options)
            return work(options)
        except FileLockedError:
            return None
        except TargetExistsError:
            # Perhaps the other one has saved it since we looked, or is about to: then the journal says something new.
            after = _own_file(client, path, key)
            if after is not None and after != before:
                return None
            # Once more, since a file has its name a moment before the journal says so: the next look takes it. What is refused twice
            # while nothing changes is somebody else's file.
            if after is None or tried:
                raise
        tried = True


def _own_file(client: Client, path: Path, key: str) -> KeyRecord | None:
    """What the journal says of a job that has saved its file under this name, or is about to."""
    known = client.videos.key(key)
    return known if known is not None and known.path == path.absolute() else None
