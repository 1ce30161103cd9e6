"""`hstmae stream`: send a game to a server while it is played."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..bundled import find
from ..errors import DataError, UsageError
from ..output import Kind, Output, write_result
from .options import AMOUNT, COUNT, SEED, add_footage, video_options
from .streaming import Enough, Sending

if TYPE_CHECKING:
    from ..live.holes import Holes
    from ..live.sources import Session

HELP = "send a game, a recording or a film to `hstmae serve`, to be watched while it happens"
EXAMPLES = """examples:
  hstmae stream data/sample_session --to http://127.0.0.1:8000/mario --loop
  hstmae stream --env ALE/Breakout-v5 --to http://127.0.0.1:8000/breakout --out breakout.hst
  hstmae stream --game smb --rom mario.nes --autoplay --level 1-1,1-2 --to http://127.0.0.1:8000/mario
  hstmae stream growing.hst --to https://games.example.org/live --token SECRET
  hstmae stream clip.mp4 --to http://127.0.0.1:8000/clip --fps 30
  hstmae stream http://127.0.0.1:8000/mario --rect 16,8,64,24 --restore --to http://127.0.0.1:8000/mended

INPUT is what `hstmae encode` takes: recordings, a store, a film, pictures, or a .hst file, which may still grow; or
another stream. Frames go out at their own rate, each as soon as it is coded, bit for bit. Viewers open the server's
first page, or run `hstmae play`. When the server is not there the game goes on, and is sent when it comes back.

--mask, --rect and --lost say what is missing, which is sent black, or with --restore restored on its way, from the
frame itself, its memory, and the frames before it; what would come too late goes out as it came, and is counted. Ctrl-C
ends it."""


_SWITCH = 5e-4  # seconds that one thread may keep others waiting: reading ahead must not delay what is due


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    what = "recordings, store, film, pictures, .hst file, or the address of another stream"
    add("input", nargs="?", type=_input, metavar="INPUT", help=what)
    add("--env", metavar="NAME", help="play this Gymnasium environment at random, e.g. ALE/Breakout-v5")
    add("--autoplay", action="store_true", help="play levels of --game smb, after a search for a way through each")
    add("--movie", type=Path, metavar="FILE", help="play this input on the console of --game smb")
    add("--rom", type=Path, metavar="FILE", help="ROM of the game (iNES)")
    add("--level", default="1-1", metavar="W-L,...", help="levels to autoplay, or 'all' (default: %(default)s)")
    add("--to", required=True, metavar="URL", help="of the stream: http://host:port/NAME")
    add("--token", default=os.environ.get("HSTMAE_PUBLISH_TOKEN", ""), metavar="TEXT",
        help="what the server wants to see (or HSTMAE_PUBLISH_TOKEN)")  # fmt: skip
    add("--view-token", default=os.environ.get("HSTMAE_VIEW_TOKEN", ""), metavar="TEXT",
        help="what the server of a stream as INPUT wants to see (or HSTMAE_VIEW_TOKEN)")  # fmt: skip
    add("--out", type=Path, metavar="OUT.hst", help="keep what is sent as a file, too")
    add("--loop", action="store_true", help="begin again at the end")
    add("--seconds", type=AMOUNT, metavar="S", help="end after this time")
    add("--frames", type=COUNT, metavar="N", help="end after so many frames")
    add("--group", type=COUNT, default=64, metavar="N", help="frames in a group: who joins gets so many at most (64)")
    add("--bitrate", type=AMOUNT, default=1200.0, metavar="KBIT",
        help="pictures in more than 256 colours are sent as video, so many kbit a second (default: 1200)")  # fmt: skip
    add("--lossless", action="store_true", help="pictures in more than 256 colours bit for bit, too, however large")
    add("--seed", type=SEED, default=0, help="seed of --env and of --autoplay")
    add("--json", metavar="FILE", help="also write the summary as JSON")
    holes = parser.add_argument_group("what is missing, and its restoration")
    add = holes.add_argument
    add("--mask", action="append", default=[], metavar="WHAT",
        help="a picture, white = missing in every frame, or tube:RATIO[:SEED]; may be given several times")  # fmt: skip
    add("--rect", action="append", default=[], metavar="X,Y,W,H[@A-B]", help="a rectangle, in all frames or these")
    add("--lost", action="append", default=[], metavar="A-B", help="whole frames, counted from 0 in each session")
    add("--restore", action="store_true", help="restore what is missing, in real time")
    add("--checkpoint", metavar="MODEL", help="bundled name, folder or file (default: the game's own where one comes "
        "with the package, else motion recall)")  # fmt: skip
    late = "a frame that waits longer than this to be restored goes out as it came (default: %(default)s)"
    add("--deadline", type=AMOUNT, default=0.25, metavar="S", help=late)
    add("--state", choices=("full", "compact", "none"), default="full", help="how much of the game's memory to use")
    add_footage(parser)


def _input(text: str) -> Path | str:
    return text if "://" in text else find(text)


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.FILE), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ..live.publisher import address_of

    if bool(args.input) + bool(args.env) + bool(args.autoplay or args.movie) != 1:
        raise UsageError("give either INPUT, --env NAME, or --game smb with --autoplay or --movie")
    address_of(args.to, "publish")
    if args.out is not None and args.out.suffix.lower() != ".hst":
        raise UsageError(f"{args.out}: give the name of a file that ends in .hst")
    if args.group > 1024:
        raise UsageError("--group: at most 1024 frames")
    if isinstance(args.input, str):
        address_of(args.input, "live")
    holes = _holes(args)
    if args.restore and not holes:
        raise UsageError("--restore: say what is missing with --mask, --rect or --lost")
    sys.setswitchinterval(_SWITCH)
    began = time.monotonic()
    with Sending(args, holes) as sending:
        with suppress(Enough, KeyboardInterrupt):
            for session in _sessions(args):
                sending.session(session)
        sending.finish()
        stream = sending.stream
        if stream is None or not stream.told.frames:
            raise DataError("there was no frame to be sent")
        summary = sending.summary(time.monotonic() - began)
    told, seconds = stream.told, summary["seconds"]
    print(f"\nframes    {told.frames:,} in {seconds:.1f} s, {told.bytes / told.frames:.1f} bytes each", file=sys.stderr)
    print(f"rate      {told.bytes * 8 / 1000 / max(seconds, 1e-9):.1f} kbit/s; {summary['encode_ms']:.1f} ms to code a "
          f"frame; {told.late} times late; {summary['connections']} connections", file=sys.stderr)  # fmt: skip
    if args.restore:
        why = summary.get("restore_problem", "")
        print(f"restored  {summary['restored']:,} frames, {summary['restore_late']:,} too late, "
              f"{summary['restore_failed']:,} failed; {summary['restore_ms']} ms each {why}",
              file=sys.stderr)  # fmt: skip
    write_result(args.json, summary)
    return 0


def _holes(args: argparse.Namespace) -> Holes:
    """What is missing. Raises UsageError or DataError."""
    from ..live.holes import Holes
    from ..masks.ranges import Drawn, parse_rectangle, parse_span
    from ..masks.tubes import parse_tube

    tubes = [tube for text in args.mask if (tube := parse_tube(text)) is not None]
    if len(tubes) > 1:
        raise UsageError("--mask tube: give one")
    paths = tuple(Path(text) for text in args.mask if parse_tube(text) is None)
    for path in paths:
        if not path.is_file():
            raise DataError(f"mask {path}: no such file; a stream takes a picture, or tube:RATIO")
    drawn = Drawn([parse_rectangle(text) for text in args.rect], [parse_span(text) for text in args.lost])
    return Holes(paths, drawn, tubes[0] if tubes else None)


def _sessions(args: argparse.Namespace) -> Iterator[Session]:
    """What is to be sent, again and again with --loop."""
    if not args.loop:
        yield from _once(args)
    elif isinstance(args.input, Path):
        from ..live.sources import again_and_again

        yield from again_and_again(lambda: _once(args))
    while args.loop:
        yield from _once(args)
        args.seed += 1


def _once(args: argparse.Namespace) -> Iterator[Session]:
    from ..live.sources import Session, sessions_of, watched

    if isinstance(args.input, str):
        yield from watched(args.input, args.view_token, lambda text: print(f"{args.input}: {text}", file=sys.stderr))
        return
    if args.env:
        from ..data.sources.gymnasium import GymEpisode, describe_env
        from ..games import get_game

        game, rate = describe_env(args.env)
        episode = GymEpisode(args.env, 1 << 30, args.seed, indexed=get_game(game).indexed)
        yield Session(episode.name, game, rate, episode.frames(None))
    elif args.autoplay or args.movie:
        if args.game not in (None, "smb"):
            raise UsageError("--autoplay and --movie play --game smb")
        yield from _played(args)
    else:
        yield from sessions_of(args.input, args.game, video_options(args), lambda problem: None)


def _played(args: argparse.Namespace) -> Iterator[Session]:
    from ..data.sources.movies.reading import read_movie
    from ..data.sources.smb import recorder
    from ..live.sources import Session

    rom = recorder.find_rom(args.rom)
    emulator = recorder.NesEmulator(rom)
    if args.movie:
        episodes = recorder.played(emulator, read_movie(args.movie, "smb"))
    else:
        levels = recorder.parse_levels(args.level)
        limits = {"seconds": 30.0}
        episodes = recorder.autoplayed(emulator, levels, range(args.seed, args.seed + 1), limits, [], None)
    for episode in episodes:
        yield Session(episode.name, "smb", episode.fps, episode.frames(lambda problem: None, {}), episode.outcome)
