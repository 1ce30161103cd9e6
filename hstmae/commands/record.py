"""`hstmae record`: play a game, write down what it shows, what its memory holds and which buttons were pressed."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..output import Kind, Output

if TYPE_CHECKING:
    from ..data.sources.base import SourceEpisode
    from ..data.sources.smb.emulator import NesEmulator
    from ..data.sources.smb.session import RecordedEpisode

HELP = "record episodes from an emulator or a Gymnasium environment"
EXAMPLES = """examples:
  hstmae record --game smb --rom mario.nes --autoplay --level 1-1,1-2 --episodes 2 --out recordings/store
  hstmae record --game smb --rom mario.nes --autoplay --level all --search-frames 25000 --out recordings/all
  hstmae record --game smb --rom mario.nes --movie run.fm2 --format smbdataset --out recordings/session
  hstmae record --env ALE/Breakout-v5 --frames 2000 --out recordings/breakout

The ROM is your own file; without --rom, the one inside an installed gym-super-mario-bros package is used.
Needed beside the package: 'hstmae[emulator]' for --game, 'hstmae[record]' for --env."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--game", choices=("smb",), help="game to run in the emulator")
    what.add_argument("--env", metavar="NAME", help="Gymnasium environment, e.g. ALE/Breakout-v5")
    parser.add_argument("--out", required=True, metavar="DIR", help="store, or folder for smbdataset episodes")
    parser.add_argument(
        "--format", choices=("store", "smbdataset"), default="store", help="what to write (default: %(default)s)"
    )
    parser.add_argument("--rom", metavar="FILE", help="ROM of the game (iNES)")
    parser.add_argument("--movie", metavar="FILE", help="play this input: FCEUX .fm2 text, or JSON")
    parser.add_argument("--autoplay", action="store_true", help="search a way through each level, and record that")
    parser.add_argument(
        "--level", default="1-1", metavar="W-L,...", help="levels to autoplay, or 'all' (default: %(default)s)"
    )
    parser.add_argument(
        "--episodes", type=int, default=1, metavar="N", help="episodes per level or of the environment (default: 1)"
    )
    parser.add_argument(
        "--seconds", type=float, default=60.0, metavar="S", help="search time per autoplayed episode (default: 60)"
    )
    parser.add_argument(
        "--search-frames",
        type=int,
        metavar="N",
        help="emulated frames of search per episode instead of --seconds: the same play on any machine",
    )
    parser.add_argument("--frames", type=int, default=1000, metavar="N", help="frames per episode of --env (1000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first episode; the next have the next ones")
    parser.add_argument(
        "--save-movies", metavar="DIR", help="also write the input of autoplayed episodes as JSON movies"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the summary as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.GROWING), (args.save_movies, Kind.GROWING), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ..errors import UsageError
    from ..output import write_result

    if args.episodes < 1 or args.frames < 1 or args.seed < 0:
        raise UsageError("--episodes and --frames must be 1 or more, --seed 0 or more")
    summary = _record_env(args) if args.env else _record_game(args)
    write_result(args.json, summary)
    return 0


def _record_env(args: argparse.Namespace) -> dict[str, Any]:
    from ..data.sources.gymnasium import GymEpisode, has_memory
    from ..data.sources.smb.movies import read_movie
    from ..errors import UsageError
    from ..games.atari import game_of

    if args.autoplay or args.rom or args.save_movies or args.search_frames is not None:
        raise UsageError("--autoplay, --rom, --save-movies and --search-frames belong to --game, not to --env")
    if args.format != "store":
        raise UsageError("--format smbdataset holds Super Mario Bros. alone; record --env into a store")
    actions = None
    if args.movie:
        movie = read_movie(args.movie, args.env)
        if movie.game != args.env or movie.pokes or movie.resets:
            raise UsageError(
                f"{args.movie} is a movie of {movie.game} or uses pokes or resets; {args.env} cannot play it"
            )
        actions = tuple(movie.actions.tolist())
    game = game_of(args.env) if has_memory(args.env) else "generic"
    seeds = range(args.seed, args.seed + args.episodes)
    return _into_store(args, game, "gymnasium", [GymEpisode(args.env, args.frames, seed, actions) for seed in seeds])


def _record_game(args: argparse.Namespace) -> dict[str, Any]:
    from ..data.sources.smb.emulator import NesEmulator, find_rom
    from ..data.sources.smb.level_start import parse_level
    from ..data.sources.smb.movies import read_movie
    from ..errors import UsageError

    if bool(args.movie) == args.autoplay:
        raise UsageError("give either --movie FILE or --autoplay")
    if args.search_frames is not None and args.search_frames < 1:
        raise UsageError("--search-frames must be 1 or more")
    everything = ",".join(f"{world}-{number}" for world in range(1, 9) for number in range(1, 5))
    levels = [level.strip() for level in (everything if args.level == "all" else args.level).split(",")]
    for level in levels:
        parse_level(level)
    movie = read_movie(args.movie, args.game) if args.movie else None
    if movie is not None and movie.game != args.game:
        raise UsageError(f"{args.movie} is a movie of {movie.game}, not of {args.game}")
    emulator = NesEmulator(find_rom(args.rom))
    notes: list[dict[str, Any]] = []
    episodes = _autoplayed(args, emulator, levels, notes) if movie is None else _played(emulator, movie)
    if args.format == "store":
        summary = _into_store(args, args.game, "emulator", episodes)
    else:
        summary = _into_folder(args, episodes)
    return {**summary, "autoplay": notes}


def _played(emulator: NesEmulator, movie: Any) -> Iterator[RecordedEpisode]:
    import zlib

    from ..data.sources.smb.movies import format_json
    from ..data.sources.smb.session import play_movie
    from ..errors import DataError

    found = False
    for episode in play_movie(emulator, movie, session=f"m{zlib.crc32(format_json(movie)):08x}"):
        found = True
        yield episode
    if not found:
        raise DataError(
            "the movie never reaches play: it may be made for another ROM or emulator, whose start takes more or fewer "
            "frames"
        )


def _autoplayed(
    args: argparse.Namespace, emulator: NesEmulator, levels: list[str], notes: list[dict[str, Any]]
) -> Iterator[RecordedEpisode]:
    import math
    from itertools import islice
    from pathlib import Path

    from tqdm import tqdm

    from ..data.sources.smb.autoplay import autoplay
    from ..data.sources.smb.movies import write_movie
    from ..data.sources.smb.session import play_movie

    for level in levels:
        for seed in range(args.seed, args.seed + args.episodes):
            with tqdm(unit="frame", desc=f"search {level} s{seed}") as bar:

                def report(frames: int, progress: int, bar: tqdm[Any] = bar) -> None:
                    bar.update(frames - bar.n)
                    bar.set_postfix(reached=progress, refresh=False)

                limits = {"seconds": args.seconds}
                if args.search_frames is not None:
                    limits = {"seconds": math.inf, "max_frames": args.search_frames}
                play = autoplay(emulator, level, seed=seed, report=report, **limits)
            speed = play.searched / play.seconds
            if not notes:
                print("level  seed   share  end     pixels        searched  frames/s")
            pixels = f"{play.x}/{play.length}"
            end = "reached" if play.won else "no"
            print(f"{level}  {seed:7d}  {play.share:6.1%}  {end:7} {pixels:12}  {play.searched:8,}  {speed:8,.0f}")
            notes.append(
                {"level": level, "seed": seed, "won": play.won, "share": play.share, "x": play.x}
                | {"length": play.length, "maps": play.maps, "searched": play.searched}
                | {"frames_per_second": speed, "movie_frames": len(play.movie)}
            )
            if args.save_movies:
                write_movie(play.movie, Path(args.save_movies) / f"{level}_s{seed}.json")
            # A warp would begin a second episode in its very last frame.
            yield from islice(play_movie(emulator, play.movie, session=f"s{seed}"), 1)


def _into_store(args: argparse.Namespace, game: str, kind: str, episodes: Iterable[SourceEpisode]) -> dict[str, Any]:
    from tqdm import tqdm

    from ..data.store.recording import record_into_store

    with tqdm(unit="frame", desc="record") as bar:

        def advance(count: int) -> None:
            bar.update(count)

        summary = record_into_store(episodes, args.out, game=game, kind=kind, progress=advance)
    print(f"store     {summary.store}")
    print(f"episodes  {summary.episodes} ({summary.packed} new, {summary.kept} kept)")
    print(f"frames    {summary.frames:,}, {summary.bytes_per_frame:,.1f} bytes each")
    print(f"speed     {summary.packed_frames:,} frames in {summary.seconds:.1f} s: {summary.frames_per_second:,.0f}/s")
    print(f"hash      {summary.hash}")
    return summary.to_json()


def _into_folder(args: argparse.Namespace, episodes: Iterable[RecordedEpisode]) -> dict[str, Any]:
    import time

    from ..data.sources.smb.dataset_writer import write_smbdataset

    began, written, frames = time.perf_counter(), [], 0
    for episode in episodes:
        print(write_smbdataset(episode.episode(), args.out))
        written.append(episode.name)
        frames += episode.size
    seconds = time.perf_counter() - began
    print(f"{len(written)} episodes, {frames:,} frames in {seconds:.1f} s: {frames / seconds:,.0f} frames/s")
    return {"episodes": written, "frames": frames, "seconds": seconds, "frames_per_second": frames / seconds}
