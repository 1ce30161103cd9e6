"""Stored sessions, side by side: our lossless profile beside general compressors and video codecs, on the same clips.

    python benchmarks/codec.py --store DIR [--split val] [--clips 5] [--frames 600] [--lossy] [--json FILE]
                               [--plot PNG]

A clip is `--frames` frames in a row, from the middle of an episode. Every row is decoded again and compared with the
clip; a row that does not come back is refused. Bytes count everything that decoding needs but the program (for ours:
the whole .hst file; for video codecs packets and extra data, no container). Times are CPU time of one thread, Python
included. Palette indices are given to video codecs as a grey picture and as RGB.

`--lossy` adds what lossy codecs need at 15 fps with a key frame every 32 frames, 4:4:4, with and without *palette snap*
(each pixel goes to the nearest of the clip's own colours); PSNR is that of the clip's mean squared error on RGB.
"""

from __future__ import annotations

import argparse
import lzma
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

sys.path.insert(0, str(Path(__file__).resolve().parent))
from codec_plot import plot
from codec_video import VIDEO, lossy_points, video_row

from data import hardware
from hstmae.atomic import write_json
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.writer import HstWriter
from hstmae.data.episode import Episode
from hstmae.data.sources.smb.dataset_files import picture_bytes
from hstmae.data.sources.smb.dataset_writer import tail_bytes
from hstmae.data.store.reader import EpisodeStore

PNG_HEAD = 8 + 25 + 780  # signature, IHDR and a PLTE of 256 colours
NOTHING = "nothing"


@dataclass(frozen=True)
class Row:
    """One method on one clip: bytes, and CPU seconds; `access` is from where on decoding can start."""

    method: str
    holds: str
    access: str
    bytes: int
    encode: float
    decode: float


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    done = work()
    return done, time.process_time() - began


def own(clip: Episode, gop: int, parts: str, folder: Path) -> Row:
    """A whole .hst file of the clip."""
    kept = {"pictures": {"state": None, "actions": None}, "all": {}}[parts]
    episode = Episode(**{**vars(clip), "context": None, **kept})
    path = folder / "x.hst"
    path.unlink(missing_ok=True)
    profile = make_profile("lossless", clip.game)

    def encode() -> None:
        with HstWriter(path) as writer:
            writer.add(profile, episode, gop=gop)

    _, encoding = timed(encode)
    with HstReader(path) as reader:
        back, decoding = timed(lambda: reader.episode(0))
    assert np.array_equal(back.frames, episode.frames)
    if parts == "all":
        assert back.state is not None and episode.state is not None
        assert back.actions is not None and episode.actions is not None
        assert np.array_equal(back.state, episode.state) and np.array_equal(back.actions, episode.actions)
    holds = {"pictures": "pictures", "all": "pictures, RAM, buttons"}[parts]
    return Row("HST lossless", holds, f"{gop} frames", path.stat().st_size, encoding, decoding)


def general(name: str, holds: str, access: str, data: list[bytes], pack: Any, unpack: Any) -> Row:
    packed, encoding = timed(lambda: [pack(piece) for piece in data])
    back, decoding = timed(lambda: [unpack(piece) for piece in packed])
    assert back == data
    return Row(name, holds, access, sum(map(len, packed)), encoding, decoding)


def blocks(array: np.ndarray, length: int) -> list[bytes]:
    return [array[k : k + length].tobytes() for k in range(0, len(array), length)]


def ram_blocks(state: np.ndarray, length: int) -> list[bytes]:
    """Each block: the difference to the frame before by XOR, then address by address."""
    found = []
    for k in range(0, len(state), length):
        part = state[k : k + length].copy()
        part[1:] ^= state[k : k + length][:-1]
        found.append(np.ascontiguousarray(part.T).tobytes())
    return found


def png_row(clip: Episode) -> Row:
    """Indexed pictures with the colours they use, as small as Pillow makes them."""
    import io

    from PIL import Image

    assert clip.palette is not None
    palette = clip.palette.tobytes()

    def pack(frame: np.ndarray) -> bytes:
        picture = Image.frombytes("P", frame.shape[::-1], frame.tobytes())
        picture.putpalette(palette)
        file = io.BytesIO()
        picture.save(file, "PNG", optimize=True)
        return file.getvalue()

    def unpack(data: bytes) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    packed, encoding = timed(lambda: [pack(frame) for frame in clip.frames])
    back, decoding = timed(lambda: [unpack(data) for data in packed])
    assert all(np.array_equal(a, clip.palette[b]) for a, b in zip(back, clip.frames, strict=True))
    return Row("indexed PNG", "pictures", "1 frame", sum(map(len, packed)), encoding, decoding)


def recorded_bytes(clip: Episode) -> int:
    """What the data set's own files of the clip take, memory and buttons included."""
    assert clip.state is not None and clip.actions is not None
    tail = len(tail_bytes(clip.state[0], 0, 0))
    return sum(PNG_HEAD + len(picture_bytes(frame, 6, 128)) + tail for frame in clip.frames)


def lossless_rows(clip: Episode, folder: Path) -> list[Row]:
    assert clip.state is not None and clip.actions is not None
    rows = [own(clip, 64, "all", folder), own(clip, 64, "pictures", folder), own(clip, 32, "pictures", folder)]
    xz = lzma.FORMAT_XZ, lzma.CHECK_NONE, 9 | lzma.PRESET_EXTREME
    level = zstandard.ZstdCompressionParameters.from_level(19, window_log=27, enable_ldm=True)
    squeeze, expand = zstandard.ZstdCompressor(compression_params=level), zstandard.ZstdDecompressor()
    plain = zstandard.ZstdCompressor(19)
    whole, f = len(clip.frames), clip.frames
    for access, length in ((NOTHING, whole), ("64 frames", 64)):
        rows.append(general("xz -9e", "pictures", access, blocks(f, length), lambda d: lzma.compress(d, *xz[:2], xz[2]),
                            lzma.decompress))  # fmt: skip
        packer = squeeze if length == whole else plain
        rows.append(general("zstd -19", "pictures", access, blocks(f, length), packer.compress, expand.decompress))
    rows.append(png_row(clip))
    for access, length in ((NOTHING, whole), ("64 frames", 64)):
        name = "XOR, transposed, zstd -19"
        rows.append(general(name, "RAM", access, ram_blocks(clip.state, length), plain.compress, expand.decompress))
    rows.append(general("zstd -19", "buttons", NOTHING, [clip.actions.tobytes()], plain.compress, expand.decompress))
    for codec in VIDEO:
        done = video_row(codec, clip.frames, clip.palette)
        if done is not None:
            rows.append(Row(codec.name, "pictures", codec.access, *done))
    return rows


def mean_rows(found: list[list[Row]], frames: int) -> list[dict[str, Any]]:
    """Per method over all clips: bytes and milliseconds a frame. A method that failed on a clip is left out."""
    names = [(row.method, row.holds, row.access) for row in found[0]]
    table = []
    for name in names:
        rows = [row for rows in found for row in rows if (row.method, row.holds, row.access) == name]
        if len(rows) != len(found):
            continue
        count = frames * len(rows)
        table.append(
            {
                "method": name[0],
                "holds": name[1],
                "access": name[2],
                "bytes_per_frame": sum(row.bytes for row in rows) / count,
                "encode_ms": 1000 * sum(row.encode for row in rows) / count,
                "decode_ms": 1000 * sum(row.decode for row in rows) / count,
            }
        )
    return table


def table(rows: list[dict[str, Any]], original: dict[str, float]) -> str:
    names = list(original)
    lines = [
        f"| method | holds | access | bytes / frame | {' | '.join(f'x {name}' for name in names)} | enc ms | dec ms |",
        f"|---|---|---|---:|{'---:|' * len(names)}---:|---:|",
    ]
    for row in rows:
        size = row["bytes_per_frame"]
        shown = "pictures" in row["holds"]  # the others are parts, and no substitute for pictures
        ratios = " | ".join(f"{original[name] / size:,.1f}" if shown else "–" for name in names)
        lines.append(
            f"| {row['method']} | {row['holds']} | {row['access']} | {size:,.1f} | {ratios} | {row['encode_ms']:.2f} | "
            f"{row['decode_ms']:.2f} |"
        )
    return "\n".join(lines)


def lossy_table(rows: list[dict[str, Any]], targets: list[float]) -> str:
    lines = [f"| codec | palette snap | {' | '.join(f'{t:g} dB' for t in targets)} | enc ms | dec ms |"]
    lines.append(f"|---|---|{'---:|' * len(targets)}---:|---:|")
    for row in rows:
        cells = " | ".join("–" if size is None else f"{size:,.0f}" for size in row["bytes_at"])
        snap = "yes" if row["snap"] else "no"
        lines.append(f"| {row['codec']} | {snap} | {cells} | {row['encode_ms']:.2f} | {row['decode_ms']:.2f} |")
    return "\n".join(lines)


def clips_of(store: EpisodeStore, split: str, clips: int, frames: int) -> list[Episode]:
    """From the middle of as many episodes, the first by name that are long enough."""
    found: list[Episode] = []
    for info in store.infos():
        if (not split or info.split == split) and info.frames >= frames and len(found) < clips:
            start = (info.frames - frames) // 2
            found.append(store.read(info.name, range(start, start + frames), ("state", "actions")))
    if len(found) < clips:
        raise SystemExit(f"{store.path}: only {len(found)} episodes of split '{split}' have {frames} frames")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--split", default="val", help="'' = all episodes")
    parser.add_argument("--clips", type=int, default=5)
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--lossy", action="store_true", help="also lossy codecs, at 15 fps")
    parser.add_argument("--checkpoint", help="codec model: adds our neural profile to --lossy")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, metavar="PNG", help="also draw what was measured")
    args = parser.parse_args()
    clips = clips_of(EpisodeStore(args.store), args.split, args.clips, args.frames)
    with tempfile.TemporaryDirectory() as folder:
        found = [lossless_rows(clip, Path(folder)) for clip in clips]
    rows = mean_rows(found, args.frames)
    h, w = clips[0].frames.shape[1:]
    png = next(row["bytes_per_frame"] for row in rows if row["method"] == "indexed PNG")
    original = {
        "RGB": float(3 * h * w),
        "index": float(h * w),
        "PNG": png,
        "smbdataset": sum(map(recorded_bytes, clips)) / (args.frames * len(clips)),
    }
    report: dict[str, Any] = {
        "hardware": hardware(),
        "clips": [clip.name for clip in clips],
        "frames": args.frames,
        "original_bytes_per_frame": original,
        "lossless": rows,
    }
    print(report["hardware"], table(rows, original), sep="\n\n")
    if args.lossy:
        report["lossy"], targets = lossy_points(clips, args.checkpoint), [30.0, 35.0, 38.5, 42.0, 45.0]
        print("", lossy_table(report["lossy"], targets), sep="\n")
    if args.json:
        write_json(args.json, report)
    if args.plot:
        plot(report, args.plot)


if __name__ == "__main__":
    main()
