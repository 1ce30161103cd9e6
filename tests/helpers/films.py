"""Films made for tests: random samples with any facts, and one with sound, subtitles, chapters and attached files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from hstmae.film.codecs import FilmOptions, plan
from hstmae.film.facts import FilmFacts
from hstmae.film.layout import Layout, Planes, layout_of
from hstmae.film.reading import FilmReader, colours_of
from hstmae.film.writing import write_film

av = pytest.importorskip("av", reason="films need PyAV: pip install 'hstmae[video]'")

HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour
Style: Default,Arial,16,&Hffffff

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def random_planes(layout: Layout, size: tuple[int, int], seed: int = 0) -> Planes:
    rng, count = np.random.default_rng(seed), (1 if layout.kind == "gray" else 3) + layout.alpha
    return tuple(rng.integers(0, layout.top + 1, layout.shape(k, size)).astype(layout.dtype) for k in range(count))


def written(
    path: Path,
    fmt: str = "yuv420p",
    size: tuple[int, int] = (38, 46),
    count: int = 9,
    rate: Fraction = Fraction(25),
    times: tuple[int, ...] = (),
    time_base: Fraction = Fraction(1, 1000),
    lost: list[str] | None = None,
    seed: int = 0,
    **facts: object,
) -> Path:
    """A lossless film of noise; `size` is (height, width)."""
    layout = layout_of(fmt)
    times = times or tuple(round(k / rate / time_base) for k in range(count))
    end = times[-1] + round(1 / rate / time_base)
    told = FilmFacts(size[1], size[0], fmt, layout.bits, layout.alpha, rate=rate, time_base=time_base, times=times,
                     end=end, **facts)  # type: ignore[arg-type]  # fmt: skip
    frames = [(time, random_planes(layout, size, seed + k)) for k, time in enumerate(times)]
    made = plan(path, layout, size, FilmOptions(lossless=True))
    said = write_film(path, frames, told, colours_of(told, layout), made)
    if lost is not None:
        lost += said
    return path


def sound_film(path: Path, sound: str = "libopus") -> Path:
    """Fifteen frames at 25 a second, two tracks of sound, subtitles, a font, a cover, chapters and metadata."""
    import io

    from PIL import Image

    with av.open(str(path), "w") as container:
        pictures = container.add_stream("ffv1", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 48, 32, "yuv420p"
        tracks = [container.add_stream(sound, rate=48000) for _ in range(2)]
        for track, language in zip(tracks, ("eng", "kor"), strict=True):
            track.layout, track.metadata["language"] = "stereo", language
        tracks[0].metadata["title"] = "Talk"
        words = container.add_stream("srt")
        words.codec_context.subtitle_header, words.metadata["language"] = HEADER, "eng"
        container.add_attachment("font.ttf", "application/x-truetype-font", b"a font" * 10)
        cover = io.BytesIO()
        Image.new("RGB", (16, 16), (200, 10, 10)).save(cover, "PNG")
        container.add_attachment("cover.png", "image/png", cover.getvalue())
        base = Fraction(1, 1000)
        container.set_chapters(
            [{"id": k + 1, "start": 300 * k, "end": 300 * k + 300, "time_base": base, "metadata": {"title": title}}
             for k, title in enumerate(("One", "Two"))]
        )  # fmt: skip
        container.metadata["title"] = "My film"
        packets = []
        for k in range(15):
            rgb = np.random.default_rng(k).integers(0, 255, (32, 48, 3)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            packets += pictures.encode(frame)
        packets += pictures.encode()
        for track in tracks:
            for start in range(0, 28800, 960):
                wave = (np.sin(np.arange(start, start + 960) / 20) * 8000).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
                frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
                packets += track.encode(frame)
            packets += track.encode()
        container.mux(packets)
        for k in range(2):
            packet = av.Packet(b"word %d" % k)
            packet.stream, packet.pts, packet.dts = words, k * 250, k * 250
            packet.duration, packet.time_base = 200, base
            container.mux(packet)
    return path


def packets_of(path: Path) -> list[list[tuple[float, bytes]]]:
    """(seconds, bytes) of all packets of each other stream."""
    found: dict[int, list[tuple[float, bytes]]] = {s.index: [] for s in FilmReader(path).facts.streams}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size and packet.stream_index in found:
                found[packet.stream_index].append((float((packet.pts or 0) * packet.time_base), bytes(packet)))
    return list(found.values())


def broken_at(path: Path, number: int, how: str) -> Path:
    """A copy of a film in which one packet of pictures has a "flipped" byte in its middle, or holds "zeros" alone."""
    with av.open(str(path)) as container:
        packet = [bytes(p) for p in container.demux(video=0) if p.size][number]
    data = bytearray(path.read_bytes())
    at = data.index(packet)
    if how == "flipped":
        data[at + len(packet) // 2] ^= 0x55
    else:
        data[at : at + len(packet)] = bytes(len(packet))
    made = path.with_name(f"broken{path.suffix}")
    made.write_bytes(data)
    return made
