"""`hstmae bench codec`: our profiles beside general codecs, on the user's own footage."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...bundled import find
from ...errors import UsageError
from ...output import STDOUT, Kind, Output, write_result
from ..options import COUNT, Number, add_lag, add_rom, names

if TYPE_CHECKING:
    from ...bench.job import Wanted

HELP = "measure how small and how fast footage of yours is stored, beside xz, zstd, PNG and video codecs"
EXAMPLES = """examples:
  hstmae bench codec
      the bundled session: every profile that it allows beside every codec that is at hand
  hstmae bench codec data/preprocessed --clips 3 --frames 384 --gop 64 --plot sizes.png
  hstmae bench codec clip.mp4 --profiles lossless,video --lossy 30,36
  hstmae bench codec recordings --rom mario.nes --peers xz,x264 --json sizes.json
  hstmae bench codec screenshots --peers png,zstd --profiles lossless --fps 30

INPUT is what `hstmae encode` takes: a store, a folder or archive of recordings, a .hst file, a film, a folder of films
or pictures. Everything is counted: of ours the whole .hst file, of video codecs packets and extra data (without their
container). Every result is decoded again and compared. Times are CPU time of this process a frame, all threads
together. "given" says what a codec got: RGB, differences of RGB, or palette indices, which are half of our own work.

profiles  lossless, live; neural (a game with a codec model, at 38.5 dB); replay (with --rom); video (films: all of the
          film, whatever --frames says)
peers     xz, zstd, zlib, png, x264, x265, vp9, ffv1, av1; those that PyAV lacks here are told
--lossy   what each needs for these qualities (PSNR of RGB, in dB): x264, x265, VP9 and AV1 as they are and with each
          pixel sent to the nearest of the clip's own colours (palette snap), neural; and films coded anew, whose every
          group has that PSNR of its own samples
"""

MAX_GOP = 1024  # that of hstmae.codec.container.chunks, which is not loaded for this
# Those of hstmae.bench.job, likewise.
PROFILES = ("lossless", "live", "neural", "replay", "video")
PEERS = ("xz", "zstd", "zlib", "png", "x264", "x265", "vp9", "ffv1", "av1")
SAMPLE = "assets/sample_session"
_PLOTS = (".png", ".svg", ".pdf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("what", choices=("codec",), help="what is measured")
    what = f"footage (default: {SAMPLE})"
    add("input", type=find, nargs="?", default=None, metavar="INPUT", help=what)
    add("--profiles", type=names, metavar="NAME,...", help="of ours (default: all that INPUT allows); or none")
    add("--peers", type=names, metavar="NAME,...", help="of the others (default: all that are here); or none")
    add("--clips", type=COUNT, default=3, metavar="N", help="as many episodes at most (default: %(default)s)")
    add("--frames", type=COUNT, default=192, metavar="N", help="from the middle of each (default: %(default)s)")
    gop = "frames from one place where decoding can start to the next, for all alike; 0: from the beginning alone "
    gop += "(default: 192)"
    add("--gop", type=_gops, default=(192,), metavar="N,...", help=gop)
    add(
        "--lossy",
        type=_qualities,
        default=(),
        metavar="DB,...",
        help="also lossy codecs, at these qualities (20 to 60)",
    )
    add("--stride", type=COUNT, default=1, metavar="N", help="of lossy codecs: every Nth frame (default: all)")
    add("--episodes", type=names, default=[], metavar="NAME,...", help="only these; * and ? for any")
    add("--checkpoint", metavar="MODEL", help="codec model of the neural profile (default: the bundled one)")
    add_rom(parser, "for profile replay: ")
    add("--game", help="game the input shows, or FILE.py:CLASS of your own (default: the one that its files state)")
    add("--fps", type=Number(0, 1000, whole=False, above=True), default=0.0, help="frame rate of folders of pictures")
    add_lag(parser)
    add("--json", metavar="FILE", help="also write all figures as JSON")
    add("--plot", type=Path, metavar="FILE.png", help="also draw them (.png, .svg or .pdf; needs matplotlib)")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.json, Kind.FILE), (args.plot, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ...codec.jobs.inputs import find_input
    from ...data.sources.video import VideoOptions

    _check_plot(args.plot)
    profiles = _chosen("--profiles", args.profiles, PROFILES)
    peers = _chosen("--peers", args.peers, PEERS)
    if args.rom and "replay" not in profiles:
        raise UsageError("--rom is for profile replay, which --profiles leaves out")
    if args.profiles and "replay" in profiles and not args.rom:
        raise UsageError("--profiles replay: its console needs --rom FILE")
    if not profiles and not peers:
        raise UsageError("--profiles none and --peers none: nothing is left to be measured")
    if args.checkpoint and "neural" not in profiles:
        raise UsageError("--checkpoint is for profile neural, which --profiles leaves out")
    if args.rom:
        from ...codec.session.profiles import make_profile

        make_profile("replay", "", rom=str(args.rom))  # what is no ROM is said before any work
    path = args.input or find(SAMPLE)
    found = find_input(path, args.game, VideoOptions(0, None, args.fps), args.episodes, args.lag)

    from ...bench.clips import read_clips
    from ...bench.job import Wanted
    from ...bench.own import Means

    wanted = Wanted(profiles, peers, args.gop, args.lossy, args.stride, means=Means(args.checkpoint, args.rom))
    report = measured([*read_clips(found, args.clips, args.frames)], wanted)
    if args.plot is not None:
        from ...atomic import replacing
        from ...bench.plots import draw

        with replacing(args.plot) as temp:
            draw(report, temp, args.plot.suffix[1:])
    write_result(args.json, report)
    print_report(report)
    return 0


def measured(clips: Sequence[Any], wanted: Wanted) -> dict[str, Any]:
    """The report, with a bar while it is made."""
    from tqdm import tqdm

    from ...bench.job import measure_all

    with tqdm(unit="result", desc="bench") as bar:

        def progress(name: str, done: int, total: int) -> None:
            bar.total = total
            bar.set_postfix_str(name, refresh=False)
            bar.update(done - bar.n)
            bar.refresh()

        return measure_all([*clips], wanted, progress)


def print_report(report: dict[str, Any]) -> None:
    """Clips, tables, what they come to, and what was left out."""
    from ...bench.tables import lossless_table, lossy_table, verdicts

    print(report["machine"])
    for clip in report["clips"]:
        size = f"{clip['width']}x{clip['height']}, {clip['colours']:,} colours"
        print(f"{clip['name']}: {clip['frames']:,} frames of {size}, {', '.join(clip['holds'])}")
    if report["lossless"]:
        print("", lossless_table(report["lossless"], report["original_bytes_per_frame"]), sep="\n")
    if report["lossy"]:
        print("", lossy_table(report["lossy"], report["lossy"][0]["targets"]), sep="\n")
    lines = verdicts(report["against"])
    print("", *lines, sep="\n") if lines else None
    for line in report["left_out"]:
        print(f"left out  {line['method']}: {line['why']}")


def _check_plot(path: Path | None) -> None:
    """Raises UsageError where no plot can be written, before any work."""
    if path is None:
        return
    if path == STDOUT or path.suffix.lower() not in _PLOTS:
        raise UsageError(f"--plot {path}: give the name of a file that ends in {', '.join(_PLOTS)}")
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise UsageError("--plot draws with matplotlib: pip install 'hstmae[figures]'")


def _chosen(option: str, given: list[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """In the order of `known`. Raises UsageError."""
    if given is None:
        return known
    if given == ["none"]:
        return ()
    if not given or (wrong := [name for name in given if name not in known]):
        raise UsageError(f"{option} {wrong[0] if given else ''}: expected {', '.join(known)}, or none")
    return tuple(name for name in known if name in given)


def _gops(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(int(Number(0, MAX_GOP)(word)) for word in text.split(",")))


def _qualities(text: str) -> tuple[float, ...]:
    return tuple(sorted({Number(20, 60, whole=False)(word) for word in text.split(",")}))
