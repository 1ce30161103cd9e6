"""Stored sessions, side by side: `hstmae bench codec` on clips of one split of a store, as docs/codec.md shows them.

    python benchmarks/codec.py --store DIR [--split val] [--clips 5] [--frames 600] [--lossy] [--checkpoint MODEL]
                               [--json FILE] [--plot PNG]

A clip is `--frames` frames in a row, from the middle of an episode. All that is said in `hstmae bench codec --help`
holds here. Besides there are rows without any access but at the beginning, and the ratio to the data set's own files
(PNG with memory and buttons). `--lossy`: at 15 fps with a key frame every 32 frames, 4:4:4.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hstmae.atomic import write_json
from hstmae.bench.clips import Clip, read_clips
from hstmae.bench.job import Wanted
from hstmae.bench.own import Means
from hstmae.bench.plots import draw
from hstmae.codec.jobs.inputs import Found, find_input
from hstmae.commands.measuring.bench import measured, print_report
from hstmae.data.episode import Episode
from hstmae.data.sources.smb.dataset_files import picture_bytes
from hstmae.data.sources.smb.dataset_writer import tail_bytes
from hstmae.data.sources.video import VideoOptions

PNG_HEAD = 8 + 25 + 780  # signature, IHDR and a PLTE of 256 colours
GOPS, LOSSY_GOP = (64, 0, 32), 32
STRIDE, QUALITIES = 4, (30.0, 35.0, 38.5, 42.0, 45.0)


def recorded_bytes(clip: Episode) -> int:
    """What the data set's own files of the clip take, memory and buttons included."""
    assert clip.state is not None and clip.actions is not None
    tail = len(tail_bytes(clip.state[0], 0, 0))
    return sum(PNG_HEAD + len(picture_bytes(frame, 6, 128)) + tail for frame in clip.frames)


def clips_of(path: Path, split: str, clips: int, frames: int) -> list[Clip]:
    """From the middle of as many episodes, the first by name that are long enough."""
    found = find_input(path, None, VideoOptions(0, None, 0.0))
    able = [e for e in found.episodes if e.size >= frames and split in ("", getattr(e, "split", ""))]
    if len(able) < clips:
        raise SystemExit(f"{path}: only {len(able)} episodes of split '{split}' have {frames} frames")
    return [*read_clips(Found(found.kind, found.game, able), clips, frames)]


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
    clips = clips_of(args.store, args.split, args.clips, args.frames)
    report = measured(clips, Wanted(("lossless",), gops=GOPS))
    files = sum(recorded_bytes(clip.episode) for clip in clips) / sum(map(len, clips))
    report["original_bytes_per_frame"]["smbdataset"] = files
    if args.lossy:
        profiles = ("neural",) if args.checkpoint else ()
        slow = Wanted(profiles, ("x264", "x265", "vp9", "av1"), (LOSSY_GOP,), QUALITIES, STRIDE,
                      means=Means(args.checkpoint), lossless=False)  # fmt: skip
        report["lossy"] = measured(clips, slow)["lossy"]
    print_report(report)
    if args.json:
        write_json(args.json, report)
    if args.plot:
        draw(report, args.plot, "png")


if __name__ == "__main__":
    main()
