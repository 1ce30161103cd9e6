"""The film of one episode in a LeRobot data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..film.x264 import steady
from .outgoing import Outgoing


class FilmFile:
    """Context manager. Args: path: of the film; source: whose rate and size it has. Raises UsageError without PyAV."""

    def __init__(self, path: Path, source: Outgoing) -> None:
        try:
            import av
        except ImportError:
            raise UsageError("films need PyAV: pip install 'hstmae[video]'") from None
        from ..codec.session.frame import rate

        path.parent.mkdir(parents=True, exist_ok=True)
        self._av, self._container = av, av.open(str(path), "w")
        options = steady({"crf": "18", "g": "2"})
        self._stream = self._container.add_stream("libx264", rate=rate(source.fps), options=options)
        self._stream.height, self._stream.width = source.size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.thread_count = 1

    def __enter__(self) -> None: ...

    def add(self, rgb: np.ndarray) -> None:
        for picture in rgb:
            self._container.mux(self._stream.encode(self._av.VideoFrame.from_ndarray(picture, "rgb24")))

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._container.mux(self._stream.encode())
        self._container.close()
