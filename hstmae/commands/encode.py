"""`hstmae encode`: recordings -> one .hst file."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bundled import find
from ..errors import UsageError
from ..output import Kind, Output, write_result
from .options import AMOUNT, COUNT, Number, add_executor, add_footage, add_lag, add_rom, names, video_options
from .options.parts import EXAMPLE, PartRun, add_part, how_read, list_of, part_outputs, stamp_of

if TYPE_CHECKING:
    from ..codec.jobs.encode_many import Archived
    from ..codec.jobs.tasks import Settings

HELP = "pack recordings, a store or a film into one small, seekable .hst file"
EXAMPLES = (
    """examples:
  hstmae encode data/preprocessed sessions.hst
  hstmae encode recordings/player_abcd_e0_1-1_win session.hst
  hstmae encode smbdataset.7z archive.hst --workers 8
  hstmae encode clip.mp4 clip.hst
  hstmae encode clip.mp4 smaller.hst --profile video --quality 36 --codec av1
  hstmae encode screenshots clip.hst --fps 30 --allow-loss alpha
  hstmae encode data/preprocessed small.hst --profile neural --stride 4 --gop 32 --quality 38.5
  hstmae encode recordings small.hst --rom mario.nes --gop 4096
  hstmae encode data/preprocessed part.hst --episodes 'player_*_1-1_*' --no-state

INPUT is a store, a folder or .7z archive of recordings (smbdataset layout), a film, a folder of films or pictures, or a
.hst file. What `hstmae record` writes is one of these. Nothing is lost: pictures, memory and buttons come back bit for
bit, and recordings as the very files they were (except those that another program packed in another way: the summary
counts them, and --exact keeps them whole). Films are kept as they are, with sound and all the rest; pictures of which
8-bit RGB frames would lose something that is seen are left out and counted, unless --allow-loss names it.

With --rom the game's console predicts memory and pictures from the buttons, and only what it has wrong is kept: less
than a byte a frame. The same ROM is needed for reading; nothing of it is in the file.

While it is written, the file is OUT.hst.part, which can be read and recovered at any moment. A run that was stopped or
killed goes on when the same command is given again: what is written is not made again.
"""
    + EXAMPLE
)

MAX_GOP = 1024  # that of hstmae.codec.container.chunks, which is not loaded for this
MAX_SPACING = 1 << 20
CODECS = ("h264", "vp9", "av1")  # those of hstmae.codec.film.quality, likewise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", type=find, metavar="INPUT", help="what to pack")
    add("out", type=Path, metavar="OUT.hst", help="file to write")
    profile = "lossless, neural, replay or video (default: video, which keeps films as they are, else lossless; with "
    profile += "--rom replay)"
    add("--profile", metavar="NAME", help=profile)
    gop = "frames per group: larger is smaller, and slower to reach one frame in (default: 192; films and neural: 64; "
    gop += "replay: 1024, and more may be given)"
    add("--gop", type=Number(1, MAX_SPACING), metavar="N", help=gop)
    add_rom(parser, "code against what the game's console does: ")
    add("--stride", type=COUNT, default=1, metavar="N", help="keep every Nth frame (default: all)")
    add("--no-state", action="store_true", help="leave the game's memory out")
    add("--episodes", type=names, default=[], metavar="NAME,...", help="only these; * and ? for any")
    add("--resume", action="store_true", help=argparse.SUPPRESS)  # what is always done now
    add_footage(parser)
    add_executor(parser)
    add_lag(parser)
    add_part(parser, "episodes")
    files = parser.add_mutually_exclusive_group()
    files.add_argument("--exact", action="store_true", help="keep whole every file that would not come back identical")
    files.add_argument("--no-files", action="store_true", help="forget names, times and packing of recordings' files")
    loss = "take what 8-bit RGB frames cannot hold without it: depth, alpha, frames, colours, streams, or all"
    add("--allow-loss", type=names, default=[], metavar="KIND,...", help=loss)
    neural = parser.add_argument_group("neural profile, and films coded anew")
    neural.add_argument("--checkpoint", metavar="MODEL", help="codec model: bundled name, folder or file")
    quality = "picture quality that every group has, dB (20 to 60), or exact; with --profile video films are coded anew"
    neural.add_argument("--quality", type=_quality, metavar="Q", help=quality)
    by = "what films are coded anew by: h264 (fastest, and the default), vp9 or av1 (fewer bytes, more time)"
    neural.add_argument("--codec", choices=CODECS, help=by)
    rate = "kbit per second to stay below, instead of --quality; groups that cannot are told"
    neural.add_argument("--bitrate", type=AMOUNT, metavar="KBIT", help=rate)
    add("--json", metavar="FILE", help="also write the summary as JSON")


def _quality(text: str) -> float:
    """Decibels; infinite for "exact"."""
    return math.inf if text == "exact" else Number(20, 60, whole=False)(text)


def outputs(args: argparse.Namespace) -> list[Output]:
    return [*part_outputs(args, args.out, Kind.FILE), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..codec.jobs.encode_many import archive, share_of
    from ..codec.jobs.inputs import find_input
    from ..codec.jobs.tasks import Settings
    from ..data.sources.base import NothingUsable
    from ..space import SMALLER, bytes_of, check_space

    video = video_options(args)
    if args.out.is_dir() or args.out.suffix.lower() != ".hst":
        raise UsageError(f"{args.out}: give the name of a file that ends in .hst")
    bits = None if args.bitrate is None else 1000 * args.bitrate
    options = {"checkpoint": args.checkpoint, "quality": args.quality, "bitrate": bits}
    options = {key: value for key, value in options.items() if value is not None}
    if args.profile == "video" and args.quality == math.inf:
        raise UsageError("--quality exact: --profile video keeps films as they are without --quality")
    if options and args.profile != "neural" and (args.profile, [*options]) != ("video", ["quality"]):
        raise UsageError("--checkpoint, --quality and --bitrate belong to --profile neural, --quality to video, too")
    if args.codec and (args.profile != "video" or args.quality is None):
        raise UsageError("--codec is for films that are coded anew: give --profile video and --quality, too")
    if args.codec not in (None, CODECS[0]):
        options["codec"] = args.codec
    profile = args.profile or ("replay" if args.rom else None)
    if args.rom and profile != "replay":
        raise UsageError(f"--rom belongs to --profile replay, not to {profile}")
    if args.gop is not None and args.gop > MAX_GOP and profile != "replay":
        raise UsageError(f"--gop {args.gop}: groups hold at most {MAX_GOP} frames, but for those of --rom")
    if profile == "replay":
        if args.no_state or args.stride > 1:
            raise UsageError("--rom predicts memory, frame by frame: leave --no-state and --stride out")
        options = {"spacing": args.gop or MAX_GOP} | ({"rom": str(args.rom)} if args.rom else {})
    settings = Settings(
        profile, tuple(sorted(options.items())), args.gop, args.stride, with_state=not args.no_state,
        with_files=not args.no_files, exact=args.exact, fail=args.on_error == "fail",
        allow_loss=tuple(args.allow_loss),
    )  # fmt: skip
    found = find_input(args.input, args.game, video, args.episodes, args.lag)
    todo, part = found.episodes, None
    if args.part is not None:
        share = share_of(found, args.part)
        todo = todo[share.start : share.stop]
        part = PartRun(args, "encode", args.out, list_of(found.episodes), stamp_of(todo), _settings(args, settings))
        if part.kept is not None:
            write_result(args.json, part.kept)
            return 0
    films, all_of_it = (size // (1 if args.part is None else args.part.count) for size in bytes_of(args.input))
    kept = profile in (None, "video", "replay") and args.game is None and not args.resize  # films as they are
    if not args.episodes and args.stride == 1:
        check_space(args.out, films * kept + (all_of_it - films) / SMALLER)
    total = sum(-(-episode.size // args.stride) for episode in todo)
    with tqdm(total=total, unit="frame", unit_scale=True, desc="encode") as bar:
        try:
            summary = archive(
                found, args.out, settings, workers=args.workers, overwrite=args.overwrite, part=args.part,
                executor=args.executor,
                progress=bar.update,
            )  # fmt: skip
        except NothingUsable as error:
            if part is None:
                raise
            return part.nothing(error.problems, args.json)
    if part is not None:
        part.done(summary.to_json())
    write_result(args.json, summary.to_json())
    print_summary(summary, profile, args.profile is None)
    return 0


def _settings(args: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """What decides the bytes. The model or the ROM is told by its hash in the file, wherever it lies."""
    options = {key: str(value) for key, value in settings.options if key not in ("checkpoint", "rom")}
    return {**how_read(args), **vars(settings), "options": options}


def print_summary(summary: Archived, profile: str | None, chosen: bool) -> None:
    """Say it in a few lines.

    Args:
        profile: that was asked for; `chosen`: none was.
    """
    from ..data.sources.losses import KINDS

    speed = summary.coded_frames / max(summary.seconds, 1e-9)
    print(f"file      {summary.path}, {summary.bytes:,} bytes\nepisodes  {summary.episodes:,}")
    print(f"frames    {summary.frames:,}, {summary.bytes / summary.frames:.1f} bytes each, everything counted")
    print(f"ratio     {summary.raw_bytes / summary.bytes:,.0f} times smaller than unpacked")
    print(f"speed     {summary.coded_frames:,} frames in {summary.seconds:.1f} s: {speed:,.0f}/s")
    if summary.kept_frames:
        print(f"kept      {summary.kept_frames:,} frames of the run before")
    if summary.files:
        print(f"files     {summary.exact_files:,} of {summary.files:,} come back byte for byte")
    if profile == "replay":
        print(f"console   {summary.predicted_frames:,} of {summary.coded_frames:,} frames are as it predicts")
    for line in summary.pairing:
        print(f"pairing   {line}")
    if summary.carried_files:
        print(f"files     what is known of {summary.carried_files:,} source files came along")
    if summary.films and chosen:
        print(f"films     {summary.films:,} kept as they are (--profile video), with sound and all the rest")
    for key, count in summary.counts.items():
        done, kind = key.split("_", 1)
        what = "left out  " if done == "refused" else "not kept  "
        print(f"{what}{count:,} file{'s' if count > 1 else ''}: {KINDS[kind]}")
    print(f"problems  {len(summary.problems):,}")
    for problem in summary.problems[:20]:
        print(f"  {problem}")
