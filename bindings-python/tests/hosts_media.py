"""What PyAV and OpenCV make of an open video, and the integers of NumPy: a program for the Python that has them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from junfeiai import Client

# They are not where the types are checked.
av: Any = import_module("av")
cv2: Any = import_module("cv2")
numpy: Any = import_module("numpy")

with Client() as client:
    video = client.videos.generate("A red ball", seconds=numpy.int64(6))
    assert client.videos.generate("A red ball", seconds=numpy.float32(6)).read_range(numpy.int64(4), numpy.int64(8)) == b"ftyp"
    summary = video.save(Path("ball.mp4"), connections=numpy.int64(2))

    with video.open() as file, av.open(file) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert frames[0].shape == (summary.height, summary.width, 3)
        # From the middle: a seek sends no request of its own.
        container.seek(container.duration // 2)
        assert next(container.decode(stream)).pts is not None
    with av.open("ball.mp4") as container:
        assert len(frames) == sum(1 for _ in container.decode(video=0)) > 0

    with video.open() as file:
        capture = cv2.VideoCapture(file, cv2.CAP_FFMPEG, [])
        assert capture.isOpened()
        read, frame = capture.read()
        assert read and frame.shape == frames[0].shape
        capture.release()
print("done")
