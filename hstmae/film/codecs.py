"""Which encoder and pixel format a film is written with, found before any frame is."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .layout import Layout, layout_of
from .priority import ordinary
from .x264 import steady

QUALITY = 14.0  # no difference is seen
WORST = 51.0

# Suffix -> encoders in the order they are tried: for films that lose nothing one sees, and for lossless ones.
CONTAINERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    ".mp4": (("libx264", "libx264rgb", "libx265", "libvpx-vp9", "mpeg4"), ("libx264", "libx264rgb", "libx265", "ffv1")),
    ".mov": (
        ("libx264", "libx264rgb", "libx265", "mpeg4", "prores_ks", "png"),
        ("libx264", "libx264rgb", "libx265", "png"),
    ),
    ".mkv": (("libx264", "libx265", "ffv1"), ("ffv1",)),
    ".webm": (("libvpx-vp9", "libsvtav1"), ("libvpx-vp9",)),
    ".avi": (("mpeg4", "ffv1"), ("ffv1", "utvideo")),
    ".gif": (("gif",), ("gif",)),
    ".apng": (("apng",), ("apng",)),
}
CONTAINERS[".m4v"] = CONTAINERS[".mp4"]
FORMATS = {".m4v": "mp4", ".mkv": "matroska"}  # where PyAV does not tell it from the suffix alike everywhere
_SHORT = {
    "h264": "libx264", "x264": "libx264", "h265": "libx265", "hevc": "libx265", "x265": "libx265", "vp8": "libvpx",
    "vp9": "libvpx-vp9", "av1": "libsvtav1", "prores": "prores_ks",
}  # fmt: skip
_EVEN = ("libx264", "libx265", "libsvtav1")  # sides must be multiples of what shares a chroma sample
_ALPHA_ASIDE, _ASIDE = ("libvpx", "libvpx-vp9"), (".mkv", ".webm")  # alpha beside the pictures needs such a container
_GIF_WAY = ("rgb24", "rgba", "bgra")  # what becomes palette pictures, see palettes.py


@dataclass(frozen=True)
class FilmOptions:
    """How a film is written.

    Attributes:
        codec: an encoder of FFmpeg, or a short name such as h264; "" = what suits the file and its pictures.
        quality: 0 (best) to 51, as x264's crf; None = near-transparent.
        lossless: every sample comes back as it was.
    """

    codec: str = ""
    quality: float | None = None
    lossless: bool = False

    def __post_init__(self) -> None:
        if self.quality is not None and not 0 <= self.quality <= WORST:
            raise UsageError(f"--quality {self.quality:g}: give 0 (best) to {WORST:g}")
        if self.lossless and self.quality is not None:
            raise UsageError("--lossless keeps everything: leave --quality out")


@dataclass(frozen=True)
class Plan:
    """How the pictures of a film are coded.

    Attributes:
        encoder: FFmpeg's name.
        pixel_format: what the encoder takes.
        layout: of the planes to give it.
        options: for the encoder.
        lossless: every sample is to come back.
        lost: what of the pictures it does not keep besides what coding loses, one sentence each.
    """

    encoder: str
    pixel_format: str
    layout: Layout
    options: dict[str, str] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    lossless: bool = False


def is_film(path: Path) -> bool:
    """Whether an output of this name is one film."""
    return path.suffix.lower() in CONTAINERS


def plan(path: Path, layout: Layout, size: tuple[int, int], options: FilmOptions) -> Plan:
    """The first encoder that keeps all that the samples hold; else, where that is allowed, the one that keeps most.

    Args:
        layout: of the film's samples; size: (height, width) of its stored pictures.
    Raises:
        UsageError: the file's kind is not known, it cannot hold what is asked for, or FFmpeg lacks the encoder.
    """
    suffix = path.suffix.lower()
    if suffix not in CONTAINERS:
        raise UsageError(f"{path}: films are written as {' '.join(sorted(CONTAINERS))}")
    names = CONTAINERS[suffix][options.lossless]
    if options.codec:
        names = (_SHORT.get(options.codec.lower(), options.codec.lower()),)
        if names == ("libx264",):
            names += ("libx264rgb",)
    exact, near = _candidates(suffix, names, layout, size, options)
    for made in exact if options.lossless else exact + near:
        if _opens(made, path, size):
            return made
    known = {"gif": "GIF", "ffv1": "FFV1"}.get(names[0], names[0])
    if options.lossless:
        raise UsageError(
            f"{path}: {layout.name} pictures of {size[1]}x{size[0]} cannot be kept lossless there"
            f"{' by ' + known if options.codec else ''}; write an .mkv, or leave --lossless out"
        )
    if options.codec:
        raise UsageError(
            f"{path}: --codec {options.codec} cannot be written there; known are {', '.join(names_for(suffix))}"
        )
    raise UsageError(f"{path}: this FFmpeg has none of the encoders {', '.join(names)}; write another kind of film")


def names_for(suffix: str) -> list[str]:
    """Encoders that films of this suffix are usually written with."""
    return sorted({name for names in CONTAINERS[suffix] for name in names})


def _candidates(
    suffix: str, names: tuple[str, ...], layout: Layout, size: tuple[int, int], options: FilmOptions
) -> tuple[list[Plan], list[Plan]]:
    """(those that keep every sample, those that do not, best first)"""

    exact: list[Plan] = []
    near: list[tuple[float, Plan]] = []
    for name in names:
        for form, there in _taken(name, layout).items():
            if not _fits(name, there, size) or (there.alpha and name in _ALPHA_ASIDE and suffix not in _ASIDE):
                continue
            if options.lossless and name == "libx264" and there.kind == "gray":
                continue  # it is read back as yuv420p
            if holds(there, layout):
                exact.append(Plan(name, form, there, _options(name, options), _told(layout, there), options.lossless))
            elif not options.lossless:
                made = Plan(name, form, there, _options(name, options), _lost(layout, there))
                near.append((_distance(layout, there), made))
    exact.sort(key=lambda made: len(made.lost))  # stable: the order of the names decides among equals
    return exact, [made for _, made in sorted(near, key=lambda pair: pair[0])]


def _taken(encoder: str, layout: Layout) -> dict[str, Layout]:
    """Pixel formats that an encoder takes, with their layouts; none where it is no encoder of pictures."""
    import av

    try:
        codec = av.Codec(encoder, "w")
    except ValueError:
        return {}
    if codec.type != "video":
        return {}
    names = [form.name for form in codec.video_formats or ()]
    names = [*_GIF_WAY] if encoder == "gif" else names or [layout.name]
    found = {}
    for name in names:
        if not name.startswith("yuvj"):
            with contextlib.suppress(ValueError):
                found[name] = layout_of(name)
    return {name: there for name, there in found.items() if there.exact and name != "pal8"}


def holds(there: Layout, layout: Layout) -> bool:
    """Whether planes of one layout come back from another: the same, more bits, or alpha that is opaque."""
    shape = (there.kind, there.across, there.down) == (layout.kind, layout.across, layout.down)
    return shape and there.bits >= layout.bits and there.alpha >= layout.alpha


def _told(layout: Layout, there: Layout) -> tuple[str, ...]:
    told = []
    if there.bits > layout.bits:
        told.append(f"samples of {layout.bits} bits are stored in {there.bits}")
    if there.alpha and not layout.alpha:
        told.append(f"{layout.name} is stored as {there.name}, with alpha that is opaque")
    return tuple(told)


def _lost(layout: Layout, there: Layout) -> tuple[str, ...]:
    lost = []
    if layout.alpha and not there.alpha:
        lost.append(f"alpha is left out: {there.name} has none")
    if there.bits < layout.bits:
        lost.append(f"{layout.bits} bits of each channel become {there.bits}")
    if (there.kind, there.across, there.down) != (layout.kind, layout.across, layout.down):
        lost.append(f"{layout.name} becomes {there.name}")
    return tuple(lost)


def _distance(layout: Layout, there: Layout) -> float:
    """How much is lost on the way."""
    colour = 2.0 * (there.kind == "gray" and layout.kind != "gray") + (there.kind != layout.kind) * 0.1
    chroma = max(0, there.across - layout.across) + max(0, there.down - layout.down)
    return 4.0 * (layout.alpha and not there.alpha) + max(0, layout.bits - there.bits) / 4 + colour + chroma


def _fits(encoder: str, layout: Layout, size: tuple[int, int]) -> bool:
    whole = encoder in _EVEN or (encoder == "ffv1" and layout.across == 2)  # FFV1 loses the last column of such chroma
    return not whole or (size[0] % (1 << layout.down) == size[1] % (1 << layout.across) == 0)


def _options(encoder: str, options: FilmOptions) -> dict[str, str]:
    quality = QUALITY if options.quality is None else options.quality
    if encoder in ("libx264", "libx264rgb"):
        return steady({"preset": "medium", **({"qp": "0"} if options.lossless else {"crf": f"{quality:g}"})})
    if encoder == "libx265":
        quiet = "log-level=error"
        if options.lossless:
            # with B-frames x265 loses samples of noisy pictures all the same
            return {"preset": "medium", "x265-params": f"{quiet}:lossless=1:bframes=0"}
        return {"preset": "medium", "crf": f"{quality:g}", "x265-params": quiet}
    if encoder in ("libvpx", "libvpx-vp9"):
        best = {"deadline": "good", "cpu-used": "2", "row-mt": "1"} if encoder == "libvpx-vp9" else {"cpu-used": "2"}
        if options.lossless:
            return {**best, "lossless": "1"}
        return {**best, "crf": str(round(quality * 63 / WORST)), "b": "0" if encoder == "libvpx-vp9" else "20M"}
    if encoder == "libsvtav1":
        return {"preset": "8", "crf": str(max(1, round(quality * 63 / WORST)))}
    if encoder in ("mpeg4", "mjpeg"):
        step = str(max(1, min(31, round(2 * 2 ** ((quality - QUALITY) / 9)))))
        return {"qmin": step, "qmax": step}
    if encoder == "ffv1":
        return {"level": "3", "slicecrc": "1"}
    return {}


def _opens(made: Plan, path: Path, size: tuple[int, int]) -> bool:
    """Whether the encoder takes such pictures, and the file the encoder."""
    import av

    try:
        with av.open(io.BytesIO(), "w", format=container_of(path)) as container:
            stream: Any = container.add_stream(made.encoder, rate=25)
            stream.width, stream.height, stream.pix_fmt = size[1], size[0], made.pixel_format
            if made.encoder == "gif":
                return True
            stream.options = dict(made.options)
            with ordinary():
                stream.codec_context.open()
    except (av.FFmpegError, ValueError, OSError):
        return False
    return True


def container_of(path: Path) -> str:
    """FFmpeg's name of the kind of file."""
    suffix = path.suffix.lower()
    return FORMATS.get(suffix, suffix[1:])
