"""A program of somebody who uses the library."""

from __future__ import annotations

from pathlib import Path

from junfeiai import AsyncClient, Client, CreateOutcomeUnknownError, InsufficientBalanceError, TaskFailedError


def film(client: Client, prompt: str, path: Path) -> str:
    """Makes a video and says what came of it."""
    try:
        return f"{client.videos.generate(prompt, seconds=6).save(path).bytes} bytes"
    except InsufficientBalanceError:
        return "top up the account"
    except TaskFailedError:
        return "try another prompt"
    except CreateOutcomeUnknownError:
        return "look at the usage page"


async def film_later(client: AsyncClient, prompt: str, path: Path) -> int:
    """The same for asyncio."""
    return (await (await client.videos.generate(prompt, seconds=6)).save(path)).bytes


def film_by_environment(prompt: str, path: Path) -> str:
    """A program that makes its own client."""
    with Client(poll_interval=0.02) as client:
        return film(client, prompt, path)
