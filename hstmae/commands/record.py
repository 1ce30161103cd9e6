"""`hstmae record`: play a game, write down what it shows, what its memory holds and which buttons were pressed."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..output import Kind, Output, write_result
from .options import AMOUNT, COUNT, SEED

if TYPE_CHECKING:
    from ..data.sources.base import SourceEpisode

EXIT_CUT = 2  # an episode ended before its time
HELP = "record episodes from an emulator or a Gymnasium environment"
EXAMPLES = """examples:
  hstmae record --game smb --rom mario.nes --autoplay --level 1-1,1-2 --episodes 2 --out recordings/store
  hstmae record --game smb --rom mario.nes --autoplay --level all --search-frames 25000 --out recordings/all
  hstmae record --game smb --rom mario.nes --movie run.fm2 --format smbdataset --out recordings/session
  hstmae record --env ALE/Breakout-v5 --frames 2000 --out recordings/breakout
  hstmae record --game nes --rom any.nes --frames 3600 --episodes 4 --out recordings/any
  hstmae record --app 10_platformer --frames 300 --episodes 2 --out recordings/platformer

--game nes records any game of the console with all that its picture unit holds, from which the pictures follow; it is
played by chance, or by --movie. --app runs a program written with Pyxel, or an example that comes with it by its name,
and records what it draws with, likewise. The ROM is your own file; without --rom, smb is that of an installed
gym-super-mario-bros package.
Needed beside the package: 'hstmae[emulator]' for --game, 'hstmae[record]' for --env, 'hstmae[pyxel]' for --app."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--game", choices=("smb", "nes"), help="game to run in the emulator; nes: any game of --rom")
    what.add_argument("--app", type=Path, metavar="FILE", help="program written with Pyxel, or the name of its example")
    what.add_argument("--env", metavar="NAME", help="Gymnasium environment, e.g. ALE/Breakout-v5")
    add("--out", required=True, metavar="DIR", help="store, or folder for smbdataset episodes")
    add("--format", choices=("store", "smbdataset"), default="store", help="what to write (default: %(default)s)")
    add("--rom", type=Path, metavar="FILE", help="ROM of the game (iNES)")
    add("--movie", type=Path, metavar="FILE", help="play this input: FCEUX .fm2 or .fm3, BizHawk .bk2, or JSON")
    add("--autoplay", action="store_true", help="search a way through each level, and record that")
    add("--level", default="1-1", metavar="W-L,...", help="levels to autoplay, or 'all' (default: %(default)s)")
    add("--episodes", type=COUNT, default=1, metavar="N", help="episodes per level or of the environment (default: 1)")
    add("--seconds", type=AMOUNT, default=60.0, metavar="S", help="search time per autoplayed episode (default: 60)")
    add(
        "--search-frames",
        type=COUNT,
        metavar="N",
        help="emulated frames of search per episode instead of --seconds: the same play on any machine",
    )
    add("--frames", type=COUNT, default=1000, metavar="N", help="frames per episode of --env, --app and nes (1000)")
    add("--seed", type=SEED, default=0, help="seed of the first episode; the next have the next ones")
    add("--save-movies", metavar="DIR", help="also write the input of autoplayed episodes as JSON movies")
    add("--json", metavar="FILE", help="also write the summary as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.GROWING), (args.save_movies, Kind.GROWING), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    if args.app is not None:
        summary = _record_app(args)
    else:
        summary = _record_env(args) if args.env else _record_any(args) if args.game == "nes" else _record_game(args)
    write_result(args.json, summary)
    return EXIT_CUT if summary["cut"] else 0


def _record_env(args: argparse.Namespace) -> dict[str, Any]:
    from ..data.sources.gymnasium import GymEpisode, describe_env
    from ..data.sources.movies.reading import read_movie
    from ..games import get_game

    if args.autoplay or args.rom or args.save_movies or args.search_frames is not None:
        raise UsageError("--autoplay, --rom, --save-movies and --search-frames belong to --game, not to --env")
    if args.format != "store":
        raise UsageError("--format smbdataset holds Super Mario Bros. alone; record --env into a store")
    actions = None
    if args.movie:
        movie = read_movie(args.movie, args.env)
        if movie.game != args.env or movie.pokes or movie.resets:
            what = f"{args.movie} is a movie of {movie.game} or uses pokes or resets"
            raise UsageError(f"{what}; {args.env} cannot play it")
        actions = tuple(movie.actions.tolist())
    game, rate = describe_env(args.env)
    if rate is None:
        assumed = get_game(game).fps
        print(f"{args.env} states no rate (metadata render_fps): {assumed:g} frames/s are noted", file=sys.stderr)
    seeds = range(args.seed, args.seed + args.episodes)
    indexed = get_game(game).indexed
    episodes = [GymEpisode(args.env, args.frames, seed, actions, indexed) for seed in seeds]
    summary = _into_store(args, game, "gymnasium", episodes)
    return {**summary, "fps": rate or get_game(game).fps, "fps_stated": rate is not None}


def _record_app(args: argparse.Namespace) -> dict[str, Any]:
    from ..data.sources.pyxel.session import PyxelEpisode, find_program

    if args.autoplay or args.rom or args.movie or args.save_movies or args.search_frames is not None:
        raise UsageError("--autoplay, --rom, --movie, --save-movies and --search-frames belong to --game, not to --app")
    if args.format != "store":
        raise UsageError("--format smbdataset holds Super Mario Bros. alone; record --app into a store")
    program = find_program(args.app)
    episodes = [PyxelEpisode(program, args.frames, seed) for seed in range(args.seed, args.seed + args.episodes)]
    return _into_store(args, episodes[0].game, "pyxel", episodes)


def _record_any(args: argparse.Namespace) -> dict[str, Any]:
    from ..data.sources.movies.reading import read_movie
    from ..data.sources.nes.session import NesEpisode
    from ..data.sources.smb.recorder import rom_remark

    if args.autoplay or args.save_movies or args.search_frames is not None:
        raise UsageError(
            "--autoplay, --save-movies and --search-frames belong to --game smb: of others no way is known"
        )
    if args.format != "store":
        raise UsageError("--format smbdataset holds Super Mario Bros. alone; record --game nes into a store")
    if args.rom is None:
        raise UsageError("--game nes records the game of your own ROM: give it with --rom FILE")
    if args.movie is None:
        seeds = range(args.seed, args.seed + args.episodes)
        episodes = [NesEpisode(args.rom, args.frames, seed) for seed in seeds]
        return _into_store(args, args.game, "emulator", episodes)
    movie = read_movie(args.movie, args.game)
    if movie.game != args.game:
        raise UsageError(f"{args.movie} is a movie of {movie.game}, not of {args.game}")
    remarks = [*movie.remarks, *filter(None, [rom_remark(movie, args.rom)])]
    for text in remarks:
        print(f"warning: {args.movie} {text}", file=sys.stderr)
    summary = _into_store(args, args.game, "emulator", [NesEpisode(args.rom, len(movie), movie=movie)])
    return {**summary, "remarks_of_movie": remarks}


def _record_game(args: argparse.Namespace) -> dict[str, Any]:
    from ..data.sources.movies.reading import read_movie
    from ..data.sources.smb import recorder

    if bool(args.movie) == args.autoplay:
        raise UsageError("give either --movie FILE or --autoplay")
    levels = recorder.parse_levels(args.level)
    movie = read_movie(args.movie, args.game) if args.movie else None
    if movie is not None and movie.game != args.game:
        raise UsageError(f"{args.movie} is a movie of {movie.game}, not of {args.game}")
    rom = recorder.find_rom(args.rom)
    emulator = recorder.NesEmulator(rom)
    notes: list[dict[str, Any]] = []
    remarks: list[str] = []
    if movie is not None:
        remarks = [*movie.remarks, *filter(None, [recorder.rom_remark(movie, rom)])]
        for text in remarks:
            print(f"warning: {args.movie} {text}", file=sys.stderr)
        episodes = recorder.played(emulator, movie)
    else:
        seeds = range(args.seed, args.seed + args.episodes)
        limits = {"seconds": args.seconds}
        if args.search_frames is not None:
            limits = {"seconds": math.inf, "max_frames": args.search_frames}
        episodes = recorder.autoplayed(emulator, levels, seeds, limits, notes, args.save_movies)
    if args.format == "store":
        return {**_into_store(args, args.game, "emulator", episodes), "autoplay": notes, "remarks_of_movie": remarks}
    began, written, frames = time.perf_counter(), [], 0
    for episode in episodes:
        print(recorder.write_smbdataset(episode.episode(), args.out))
        written.append(episode.name)
        frames += episode.size
    seconds = time.perf_counter() - began
    speed = frames / seconds
    print(f"{len(written)} episodes, {frames:,} frames in {seconds:.1f} s: {speed:,.0f} frames/s")
    summary = {"episodes": written, "frames": frames, "seconds": seconds, "frames_per_second": speed}
    return {**summary, "autoplay": notes, "remarks_of_movie": remarks, "cut": []}


def _into_store(args: argparse.Namespace, game: str, kind: str, episodes: Iterable[SourceEpisode]) -> dict[str, Any]:
    from tqdm import tqdm

    from ..data.store.recording import record_into_store

    cut: list[str] = []
    with tqdm(unit="frame", desc="record") as bar:
        summary = record_into_store(
            episodes, args.out, game=game, kind=kind, progress=bar.update, remark=lambda p: cut.append(str(p))
        )
    for text in cut:
        print(f"hstmae record: error: {text}; what was recorded so far is kept", file=sys.stderr)
    print(f"store     {summary.store}")
    print(f"episodes  {summary.episodes} ({summary.packed} new, {summary.kept} kept)")
    print(f"frames    {summary.frames:,}, {summary.bytes_per_frame:,.1f} bytes each")
    print(f"speed     {summary.speed}/s")
    print(f"hash      {summary.hash}")
    return {**summary.to_json(), "cut": cut}
