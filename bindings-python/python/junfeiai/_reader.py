"""A video as a standard file object."""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from typing_extensions import Buffer

# The buffer reads so much at a time; the core reads ahead on its own.
_BUFFER = 128 * 1024


class VideoReader(io.RawIOBase):
    """The raw file below what ``Video.open`` returns: ``file.raw``."""

    def __init__(self, native: Any) -> None:
        self._native = native

    @property
    def size(self) -> int:
        """Length of the file in bytes."""
        self._open()
        size: int = self._native.size()
        return size

    def readable(self) -> bool:
        self._open()
        return True

    def seekable(self) -> bool:
        self._open()
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        self._open()
        view = memoryview(buffer).cast("B")
        data: bytes = self._native.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._open()
        place: int = self._native.seek(offset, whence)
        return place

    def tell(self) -> int:
        self._open()
        place: int = self._native.tell()
        return place

    def close(self) -> None:
        if not self.closed:
            self._native = None
        super().close()

    def _open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")


def buffered(native: Any) -> io.BufferedReader:
    return io.BufferedReader(VideoReader(native), _BUFFER)
