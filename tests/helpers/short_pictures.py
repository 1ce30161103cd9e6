"""Pictures that can be told apart, films of them, and what a folder holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


def content(folder: Path) -> dict[str, bytes]:
    """Every file; those of the sources' times differ by nothing here, since the source stays the same."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def picture(t: int, size: tuple[int, int] = (32, 48)) -> np.ndarray:
    rows, cols = np.mgrid[: size[0], : size[1]]
    return np.stack([rows * 5 + t, cols * 4, (rows // 8 + cols // 8 + t) % 2 * 90], -1).astype(np.uint8)


def make_film(path: Path, frames: int, codec: str = "libx264", open_gops: bool = False) -> None:
    av = pytest.importorskip("av", reason="films need PyAV: pip install 'hstmae[video]'")
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    options = {"x264-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3:scenecut=0"} if open_gops else {"g": "12"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for t in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(t), format="rgb24")))
        container.mux(stream.encode())
