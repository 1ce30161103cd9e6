"""`hstmae stream`: send a game to a server while it is played."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bundled import find
from ..errors import DataError, UsageError
from ..output import Kind, Output, write_result
from .options import AMOUNT, COUNT, SEED, add_footage, video_options

if TYPE_CHECKING:
    from ..live.sources import Session

HELP = "send a game, a recording or a film to `hstmae serve`, to be watched while it happens"
EXAMPLES = """examples:
  hstmae stream data/sample_session --to http://127.0.0.1:8000/mario --loop
  hstmae stream --env ALE/Breakout-v5 --to http://127.0.0.1:8000/breakout --out breakout.hst
  hstmae stream --game smb --rom mario.nes --autoplay --level 1-1,1-2 --to http://127.0.0.1:8000/mario
  hstmae stream growing.hst --to https://games.example.org/live --token SECRET
  hstmae stream clip.mp4 --to http://127.0.0.1:8000/clip --fps 30

INPUT is what `hstmae encode` takes: recordings, a store, a film, pictures, or a .hst file, which may still grow. Frames
go out at their own rate, each as soon as it is coded, bit for bit. Viewers open the server's first page, or run
`hstmae play`. When the server is not there the game goes on, and is sent when it comes back. Ctrl-C ends it."""


_SWITCH = 5e-4  # seconds that one thread may keep others waiting: reading ahead must not delay what is due


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", nargs="?", type=find, metavar="INPUT", help="recordings, store, film, pictures or .hst file")
    add("--env", metavar="NAME", help="play this Gymnasium environment at random, e.g. ALE/Breakout-v5")
    add("--autoplay", action="store_true", help="play levels of --game smb, after a search for a way through each")
    add("--movie", type=Path, metavar="FILE", help="play this input on the console of --game smb")
    add("--rom", type=Path, metavar="FILE", help="ROM of the game (iNES)")
    add("--level", default="1-1", metavar="W-L,...", help="levels to autoplay, or 'all' (default: %(default)s)")
    add("--to", required=True, metavar="URL", help="of the stream: http://host:port/NAME")
    add("--token", default=os.environ.get("HSTMAE_PUBLISH_TOKEN", ""), metavar="TEXT",
        help="what the server wants to see (or HSTMAE_PUBLISH_TOKEN)")  # fmt: skip
    add("--out", type=Path, metavar="OUT.hst", help="keep what is sent as a file, too")
    add("--loop", action="store_true", help="begin again at the end")
    add("--seconds", type=AMOUNT, metavar="S", help="end after this time")
    add("--frames", type=COUNT, metavar="N", help="end after so many frames")
    add("--group", type=COUNT, default=64, metavar="N", help="frames in a group: who joins gets so many at most (64)")
    add("--seed", type=SEED, default=0, help="seed of --env and of --autoplay")
    add("--json", metavar="FILE", help="also write the summary as JSON")
    add_footage(parser)


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.FILE), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ..live.publisher import address_of
    from ..live.sending import LiveStream
    from ..live.sources import Pace, ReadAhead, rate_of

    if bool(args.input) + bool(args.env) + bool(args.autoplay or args.movie) != 1:
        raise UsageError("give either INPUT, --env NAME, or --game smb with --autoplay or --movie")
    address_of(args.to, "publish")
    if args.out is not None and args.out.suffix.lower() != ".hst":
        raise UsageError(f"{args.out}: give the name of a file that ends in .hst")
    if args.group > 1024:
        raise UsageError("--group: at most 1024 frames")
    sys.setswitchinterval(_SWITCH)
    stream: LiveStream | None = None
    began = time.monotonic()
    pace, late, stack = Pace(1), 0, ExitStack()
    try:
        for session in _sessions(args):
            fps = args.fps or rate_of(session)
            if stream is None:
                stream = LiveStream(
                    args.to, game=session.game, fps=fps, name=session.name, token=args.token, out=args.out,
                    group=args.group,
                )  # fmt: skip
                _wait_for(stream, args.to)
            else:
                stream.begin_session(session.game, fps, session.name)
            pace = Pace(fps)
            played = bool(args.env)  # by us: what is read ahead would be seen late
            frames = session.frames if played else stack.enter_context(closing(ReadAhead(session.frames)))
            for frame in frames:
                due = pace.wait()
                stream.told.late = late + pace.late
                stream.frame(frame.pixels, frame.state, frame.action, frame.palette, frame.number, due)
                if _is_over(args, stream.told.frames, began):
                    raise _Enough
                _show(stream, pace)
            late += pace.late
            stack.close()
            stream.end_session(session.outcome)
    except (_Enough, KeyboardInterrupt):
        pass
    finally:
        stack.close()
        if stream is not None:
            stream.__exit__(*sys.exc_info())
    if stream is None or not stream.told.frames:
        raise DataError("there was no frame to be sent")
    told, publisher = stream.told, stream.publisher
    seconds = time.monotonic() - began
    summary: dict[str, Any] = {"frames": told.frames, "seconds": seconds, "bytes": told.bytes, "late": late}
    summary |= {"sessions": told.sessions, "connections": publisher.connections}
    summary |= {"encode_ms": 1000 * sum(told.encode) / len(told.encode)}
    print(f"\nframes    {told.frames:,} in {seconds:.1f} s, {told.bytes / told.frames:.1f} bytes each", file=sys.stderr)
    print(f"rate      {told.bytes * 8 / 1000 / max(seconds, 1e-9):.1f} kbit/s; {summary['encode_ms']:.1f} ms to code a "
          f"frame; {late} times late; {publisher.connections} connections", file=sys.stderr)  # fmt: skip
    write_result(args.json, summary)
    return 0


class _Enough(Exception):
    """As many frames as were asked for."""


def _is_over(args: argparse.Namespace, frames: int, began: float) -> bool:
    by_time = args.seconds is not None and time.monotonic() - began > args.seconds
    return by_time or (args.frames is not None and frames >= args.frames)


def _wait_for(stream: Any, url: str) -> None:
    """For the first connection, a while: a wrong address is told at once, and frames are not lost for nothing."""
    end = time.monotonic() + 3.0
    while not stream.publisher.connected and not stream.publisher.failure and time.monotonic() < end:
        time.sleep(0.02)
    if stream.publisher.failure:
        raise UsageError(f"{url}: {stream.publisher.failure}")
    if not stream.publisher.connected:
        print(f"hstmae stream: nobody answers at {url} yet; the game goes on, and is sent when somebody does "
              "(is `hstmae serve` running?)", file=sys.stderr)  # fmt: skip


_shown_at = 0.0


def _show(stream: Any, pace: Any) -> None:
    """A line that says how it goes, twice a second, on a terminal."""
    global _shown_at
    if not sys.stderr.isatty() or time.monotonic() - _shown_at < 0.5:
        return
    _shown_at = time.monotonic()
    told, publisher = stream.told, stream.publisher
    where = "sent" if publisher.connected else "NOT CONNECTED"
    mean = 1000 * sum(told.encode) / len(told.encode)
    print(f"\rstream: {told.frames:,} frames {where}, {told.bytes / told.frames:.1f} bytes each, {mean:.1f} ms, "
          f"{pace.late} late ", end="", file=sys.stderr, flush=True)  # fmt: skip


def _sessions(args: argparse.Namespace) -> Iterator[Session]:
    """What is to be sent, again and again with --loop."""
    while True:
        yield from _once(args)
        if not args.loop:
            return
        args.seed += 1


def _once(args: argparse.Namespace) -> Iterator[Session]:
    from ..live.sources import Session, sessions_of

    if args.env:
        from ..data.sources.gymnasium import GymEpisode, describe_env
        from ..games.atari import game_of

        console, rate = describe_env(args.env)
        game = game_of(args.env) if console else "generic"
        episode = GymEpisode(args.env, 1 << 30, args.seed)
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
