"""Footage of any game without loss: whole .hst files beside general compressors and video codecs.

    python benchmarks/any_game.py --store DIR [--episodes NAME,...] [--frames 192] [--gop 192] [--json FILE]

Stores hold episodes in true colour, as `scripts/record_games.py` makes them; of each the first `--frames` frames are
taken. All codecs can begin every `--gop` frames (PNG: at every frame). Bytes are those of whole .hst files, and of
others packets with extra data; times are CPU time of one thread. Every result is decoded and compared.

`best RGB` is the smallest of the methods that were given the pictures as they are, `best` that of all: some were given
palette indices, which is half of our own work.
"""

from __future__ import annotations

import argparse
import io
import lzma
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent))
from codec import timed
from codec_video import Codec, run_decoder, run_encoder

from hstmae.atomic import write_json
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.writer import HstWriter
from hstmae.data.episode import Episode
from hstmae.data.store.reader import EpisodeStore

OURS = "HST lossless"
X265 = "lossless=1:log-level=none:pools=1:frame-threads=1:keyint={gop}"
VIDEO = (
    Codec("x264 RGB, qp 0", "libx264rgb", "h264", "rgb24", "rgb", {"qp": "0", "preset": "slow", "g": "{gop}"}),
    Codec("x265 RGB, lossless", "libx265", "hevc", "gbrp", "rgb", {"x265-params": X265}),
    Codec("VP9 RGB, lossless", "libvpx-vp9", "vp9", "gbrp", "rgb", {"lossless": "1", "cpu-used": "4", "g": "{gop}"}),
    Codec("FFV1 RGB", "ffv1", "ffv1", "bgr0", "rgb", {"level": "3", "g": "{gop}", "context": "1"}),
)
Result = tuple[int, float, float]  # bytes, CPU seconds to encode and to decode


def ours(clip: Episode, gop: int) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        path, profile = Path(folder) / "x.hst", make_profile("lossless", clip.game)

        def encode() -> None:
            with HstWriter(path) as writer:
                writer.add(profile, clip, gop=gop)

        _, encoding = timed(encode)
        with HstReader(path) as reader:
            back, decoding = timed(lambda: reader.episode(0).frames)
        assert np.array_equal(back, clip.frames)
        return path.stat().st_size, encoding, decoding


def packed(pieces: list[np.ndarray], pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes]) -> Result:
    data = [piece.tobytes() for piece in pieces]
    made, encoding = timed(lambda: [pack(piece) for piece in data])
    back, decoding = timed(lambda: [unpack(piece) for piece in made])
    assert back == data
    return sum(map(len, made)), encoding, decoding


def png(frames: np.ndarray, colours: np.ndarray | None) -> Result:
    def pack(frame: np.ndarray) -> bytes:
        file, picture = io.BytesIO(), Image.fromarray(frame)
        if colours is not None:
            picture = picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=len(colours))
        picture.save(file, "PNG", optimize=True)
        return file.getvalue()

    made, encoding = timed(lambda: [pack(frame) for frame in frames])
    back, decoding = timed(lambda: [np.asarray(Image.open(io.BytesIO(d)).convert("RGB")) for d in made])
    if colours is not None and not np.array_equal(np.stack(back), frames):
        return png(frames, None)
    assert np.array_equal(np.stack(back), frames)
    return sum(map(len, made)), encoding, decoding


def video(codec: Codec, frames: np.ndarray, gop: int) -> Result | None:
    codec = replace(codec, options={key: value.format(gop=gop) for key, value in codec.options.items()})
    made = run_encoder(codec, list(frames), 60)
    if made is None:
        return None
    packets, extra, encoding = made
    back, decoding = run_decoder(codec, packets, extra, frames.shape[1:3])
    assert np.array_equal(back, frames), f"{codec.name} is not lossless here"
    return sum(map(len, packets)) + len(extra), encoding, decoding


def differences(group: np.ndarray) -> np.ndarray:
    out = group.copy()
    out[1:] -= group[:-1]
    return out


def results(clip: Episode, gop: int) -> tuple[int, dict[str, Result]]:
    """How many colours there are, and what each method makes of it."""
    frames = clip.frames
    numbers = frames.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours, index = np.unique(numbers, return_inverse=True)
    few = len(colours) <= 256
    groups = [slice(k, k + gop) for k in range(0, len(frames), gop)]
    level = 9 | lzma.PRESET_EXTREME
    squeeze, expand = zstandard.ZstdCompressor(19), zstandard.ZstdDecompressor()

    def xz(data: bytes) -> bytes:
        return lzma.compress(data, check=lzma.CHECK_NONE, preset=level)

    rgb = [frames[g] for g in groups]
    found = {
        OURS: ours(clip, gop),
        "xz -9e RGB": packed(rgb, xz, lzma.decompress),
        "xz -9e RGB, differences": packed([differences(g) for g in rgb], xz, lzma.decompress),
        "zstd -19 RGB": packed(rgb, squeeze.compress, expand.decompress),
        "zlib -9 RGB, differences": packed(
            [differences(g) for g in rgb], lambda d: zlib.compress(d, 9), zlib.decompress
        ),
        "PNG": png(frames, colours if few else None),
    }
    if few:
        indices = index.reshape(numbers.shape).astype(np.uint8)
        found["xz -9e index"] = packed([indices[g] for g in groups], xz, lzma.decompress)
    for codec in VIDEO:
        done = video(codec, frames, gop)
        if done is not None:
            found[codec.name] = done
    return len(colours), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, action="append", required=True)
    parser.add_argument("--episodes", default="", help="names, or parts of them; default: all")
    parser.add_argument("--frames", type=int, default=192)
    parser.add_argument("--gop", type=int, default=192)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    report: list[dict[str, Any]] = []
    print("| footage | size | colours | HST bytes/frame | best RGB | ratio | best | ratio | encode, decode ms |")
    print("|---|---|---:|---:|---|---:|---|---:|---:|", flush=True)
    for store in map(EpisodeStore, args.store):
        for info in store.infos():
            if args.episodes and not any(part in info.name for part in args.episodes.split(",")):
                continue
            clip = store.read(info.name, range(min(args.frames, info.frames)), ())
            colours, found = results(clip, args.gop)
            count, own = len(clip.frames), found[OURS]
            others = {name: result[0] for name, result in found.items() if name != OURS}
            best = min(others, key=others.__getitem__)
            plain = min((name for name in others if "index" not in name), key=others.__getitem__)
            cells = [info.name, "x".join(map(str, clip.frames.shape[2:0:-1])), f"{colours:,}", f"{own[0] / count:,.1f}"]
            for name in (plain, best):
                cells += [f"{name} {others[name] / count:,.1f}", f"{own[0] / others[name]:.2f}"]
            cells.append(f"{1000 * own[1] / count:.1f}, {1000 * own[2] / count:.1f}")
            print("| " + " | ".join(cells) + " |", flush=True)
            per_frame = {name: [r[0] / count, *(1000 * s / count for s in r[1:])] for name, r in found.items()}
            report.append({"name": info.name, "frames": count, "colours": colours, "methods": per_frame})
    if args.json:
        write_json(args.json, {"gop": args.gop, "clips": report})


if __name__ == "__main__":
    main()
