"""`hstmae play`: a stream or a `.hst` file in the terminal."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path

from ..errors import UsageError
from .options import COUNT, RATE, add_rom

HELP = "play a .hst file, or watch a live stream, in the terminal"
EXAMPLES = """examples:
  hstmae play sessions.hst
  hstmae play sessions.hst --episode player_abcd_e0_1-1_win --fps 30
  hstmae play http://127.0.0.1:8000/mario
  hstmae play https://games.example.org/mario --token SECRET

A terminal of 24-bit colour shows two pixels of a picture in each character, as large as it fits. The page of
`hstmae serve` shows the same with controls. Ctrl-C ends it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", metavar="FILE|URL", help=".hst file, or http://host:port/NAME of a stream")
    add("--episode", metavar="NAME", help="of the file (default: all, one after the other)")
    add("--fps", type=RATE, metavar="F", help="frames a second of a file (default: its own)")
    add("--frames", type=COUNT, metavar="N", help="end after so many frames")
    add("--token", default=os.environ.get("HSTMAE_VIEW_TOKEN", ""), metavar="TEXT",
        help="what the server of a stream wants to see (or HSTMAE_VIEW_TOKEN)")  # fmt: skip
    add("--plain", action="store_true", help="no pictures, a line of figures each second")
    add_rom(parser)


def run(args: argparse.Namespace) -> int:
    from ..live.publisher import address_of
    from ..live.terminal import Screen

    live = "://" in args.source
    if live:
        address_of(args.source, "live")
    if not live and not Path(args.source).is_file():
        raise UsageError(f"{args.source}: no such file, and no address of a stream (http://host:port/NAME)")
    plain = args.plain or not sys.stdout.isatty()
    with contextlib.suppress(KeyboardInterrupt), Screen(sys.stdout, plain) as screen:
        (_watch if live else _play)(args, screen)
    return 0


def _play(args: argparse.Namespace, screen: object) -> None:
    from ..codec.session.reader import HstReader
    from ..live.sources import Pace
    from ..live.terminal import Screen, coloured

    assert isinstance(screen, Screen)
    shown = 0
    with HstReader(args.source, rom=args.rom) as reader:
        names = [episode.name for episode in reader.episodes()]
        if args.episode and args.episode not in names:
            raise UsageError(f"{args.source} has no episode '{args.episode}'; the first is '{names[0]}'")
        for position, description in enumerate(reader.episodes()):
            if args.episode and description.name != args.episode:
                continue
            pace = Pace(args.fps or description.fps)
            for start in range(0, reader.frames(position), 16):
                part = reader.read(position, range(start, min(start + 16, reader.frames(position))))
                for t, number in enumerate(part.frame_numbers.tolist()):
                    late = time.time() - pace.wait()
                    if late < 0.1:
                        screen.show(coloured(part.frames[t], part.palette), f"{description.name}  frame {number}")
                    shown += 1
                    if shown == args.frames:
                        return


def _watch(args: argparse.Namespace, screen: object) -> None:
    from ..live.terminal import Screen, coloured
    from ..live.watching import Decoding, watch

    assert isinstance(screen, Screen)
    decoding = Decoding()
    for shown, frame in enumerate(watch(args.source, args.token, told=screen.say, decoding=decoding), 1):
        lag = 1000 * (time.time() - frame.captured)
        told = f"{frame.description.name}  frame {frame.number}  {lag:.0f} ms behind"
        if decoding.missed:
            told += f"  {decoding.missed} missed"
        if lag < 250 or shown % 4 == 0:  # a slow terminal shows fewer
            screen.show(coloured(frame.picture, frame.description.colours), told)
        if shown == args.frames:
            return
