"""`hstmae encode`: recordings -> one .hst file."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..bundled import find
from ..output import Kind, Output

HELP = "pack recordings, a store or a film into one small, seekable .hst file"
EXAMPLES = """examples:
  hstmae encode data/preprocessed sessions.hst
  hstmae encode recordings/player_abcd_e0_1-1_win session.hst
  hstmae encode smbdataset.7z archive.hst --workers 8 --resume
  hstmae encode clip.mp4 clip.hst --gop 16
  hstmae encode data/preprocessed small.hst --profile neural --stride 4 --gop 32 --quality 38.5
  hstmae encode data/preprocessed part.hst --episodes 'player_*_1-1_*' --no-state

INPUT is a store, a folder or .7z archive of recordings (smbdataset layout), a film, a folder of films or pictures, or a
.hst file. What `hstmae record` writes is one of these. Nothing is lost: pictures, memory and buttons come back bit for
bit, and recordings as the very files they were (except those that another program packed in another way: the summary
counts them, and --exact keeps them whole).

While it is written, the file is OUT.hst.part, which can be read and recovered at any moment. A run that was stopped or
killed goes on with --resume: what is written is not made again."""


def _names(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=find, metavar="INPUT", help="what to pack")
    parser.add_argument("out", type=Path, metavar="OUT.hst", help="file to write")
    parser.add_argument(
        "--profile", default="lossless", metavar="NAME", help="lossless or neural (default: %(default)s)"
    )
    parser.add_argument(
        "--gop", type=int, default=64, metavar="N",
        help="frames per group: larger is smaller, and slower to reach one frame in (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--stride", type=int, default=1, metavar="N", help="keep every Nth frame (default: all)")
    parser.add_argument("--no-state", action="store_true", help="leave the game's memory out")
    parser.add_argument("--episodes", type=_names, default=[], metavar="NAME,...", help="only these; * and ? for any")
    parser.add_argument("--game", help="game the recordings are of (default: as their own marks say)")
    parser.add_argument("--on-error", choices=("skip", "fail"), default="skip",
                        help="leave damaged files out and report them, or stop (default: %(default)s)")  # fmt: skip
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes (default: one per core)")
    parser.add_argument("--resume", action="store_true", help="go on with what an interrupted run left")
    files = parser.add_mutually_exclusive_group()
    files.add_argument("--exact", action="store_true", help="keep whole every file that would not come back identical")
    files.add_argument("--no-files", action="store_true", help="forget names, times and packing of recordings' files")
    neural = parser.add_argument_group("neural profile")
    neural.add_argument("--checkpoint", metavar="MODEL", help="codec model: bundled name, folder or file")
    neural.add_argument("--quality", type=float, metavar="Q", help="picture quality to aim at, dB")
    neural.add_argument("--bitrate", type=float, metavar="KBIT", help="kbit per second to aim at, instead of --quality")
    video = parser.add_argument_group("true-colour footage")
    video.add_argument("--resize", type=int, default=0, metavar="N", help="scale every frame to NxN pixels")
    video.add_argument("--side", type=Path, metavar="PATH", help="folder of side files, or the one of a single film")
    video.add_argument("--fps", type=float, default=0.0, help="frame rate of folders of pictures (default: the game's)")
    parser.add_argument("--json", metavar="FILE", help="also write the summary as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.FILE), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..codec.container.chunks import MAX_GOP
    from ..codec.jobs.encode_many import archive
    from ..codec.jobs.encode_one import Settings
    from ..codec.jobs.inputs import find_input
    from ..data.sources.video import VideoOptions
    from ..errors import UsageError
    from ..games import use_game
    from ..output import write_result

    if not 1 <= args.gop <= MAX_GOP:
        raise UsageError(f"--gop is {args.gop}; expected 1 to {MAX_GOP}")
    if args.stride < 1:
        raise UsageError(f"--stride is {args.stride}; expected 1 or more")
    if args.workers < 0:
        raise UsageError(f"--workers is {args.workers}; expected 0 (one per core) or more")
    if args.resize and not 16 <= args.resize <= 4096:
        raise UsageError(f"--resize is {args.resize}; expected 16 to 4096 pixels")
    if args.fps and not 0 < args.fps <= 1000:
        raise UsageError(f"--fps is {args.fps}; expected more than 0 and at most 1000")
    if args.out.is_dir() or args.out.suffix.lower() != ".hst":
        raise UsageError(f"{args.out}: give the name of a file that ends in .hst")
    bits = None if args.bitrate is None else 1000 * args.bitrate
    options = {
        key: value
        for key, value in (("checkpoint", args.checkpoint), ("quality", args.quality), ("bitrate", bits))
        if value is not None
    }
    if options and args.profile == "lossless":
        raise UsageError("--checkpoint, --quality and --bitrate belong to --profile neural")
    settings = Settings(
        profile=args.profile,
        options=tuple(sorted(options.items())),
        gop=args.gop,
        stride=args.stride,
        with_state=not args.no_state,
        with_files=not args.no_files,
        exact=args.exact,
        fail=args.on_error == "fail",
    )
    found = find_input(
        args.input,
        None if args.game is None else use_game(args.game),
        VideoOptions(args.resize, args.side, args.fps),
        args.episodes,
    )
    total = sum(-(-episode.size // args.stride) for episode in found.episodes)
    with tqdm(total=total, unit="frame", unit_scale=True, desc="encode") as bar:
        summary = archive(
            found,
            args.out,
            settings,
            workers=args.workers,
            overwrite=args.overwrite,
            resume=args.resume,
            progress=bar.update,
        )
    write_result(args.json, summary.to_json())
    seconds = max(summary.seconds, 1e-9)
    rows = [
        ("file", f"{summary.path}, {summary.bytes:,} bytes"),
        ("episodes", f"{summary.episodes:,}"),
        ("frames", f"{summary.frames:,}, {summary.bytes / summary.frames:.1f} bytes each, everything counted"),
        ("ratio", f"{summary.raw_bytes / summary.bytes:,.0f} times smaller than unpacked"),
        (
            "speed",
            f"{summary.coded_frames:,} frames in {summary.seconds:.1f} s: {summary.coded_frames / seconds:,.0f}/s",
        ),
    ]
    if summary.kept_frames:
        rows.append(("kept", f"{summary.kept_frames:,} frames of the run before"))
    if summary.files:
        rows.append(("files", f"{summary.exact_files:,} of {summary.files:,} come back byte for byte"))
    rows.append(("problems", f"{len(summary.problems):,}"))
    for name, value in rows:
        print(f"{name:<9} {value}")
    for problem in summary.problems[:20]:
        print(f"  {problem}")
    return 0
