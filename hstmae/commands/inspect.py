"""`hstmae inspect`: what is in a store or a source, as a table and as pictures."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bundled import find, find_config
from ..errors import UsageError
from ..output import Kind, Output, write_result
from .options import COUNT, POSITION, add_lag
from .options.data import check_data

if TYPE_CHECKING:
    from ..data.inspection import LevelCounts, Subject

HELP = "show what is in a store or a source: a table, a sheet, a film"
EXAMPLES = """examples:
  hstmae inspect data/preprocessed
  hstmae inspect data/preprocessed --out sheet.png
  hstmae inspect recordings --episode player_abcd_e0_1-1_win --out clip.mp4 --start 200 --frames 300
  hstmae inspect films --out sheet.png
  hstmae inspect --masks configs/mae_nano.yaml --set train.curriculum.enabled=true --out masks.png

A sheet shows frames spread over the episode: the picture, its regions, the decoded state (tiles, texts, sprites,
player, enemies), and the same with most 16x16 positions hidden. A film shows frames in a row at their own speed."""

SHEET_FRAMES, FILM_FRAMES = 4, 240


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "input",
        type=find,
        nargs="?",
        metavar="STORE_OR_SOURCE",
        help="a store, a .hst file, a folder or an archive of recordings, pictures or films, - for standard input; "
        "with --masks: the store, instead of the configuration's",
    )
    add("--out", type=Path, metavar="FILE", help="sheet (.png) or film (.mp4) to draw")
    add("--episode", metavar="NAME", help="episode to draw (default: the first)")
    add("--start", type=POSITION, default=0, metavar="N", help="position of the first frame (default: 0)")
    add("--frames", type=COUNT, metavar="N", help=f"frames to draw (default: {SHEET_FRAMES}, of a film {FILM_FRAMES})")
    add("--mask", default="tube:0.9", metavar="tube:RATIO[:SEED]", help="what is hidden (default: %(default)s)")
    add(
        "--masks", type=find_config, metavar="CONFIG", help="draw what training by this YAML file (or run folder) masks"
    )
    add("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="with --masks: override")
    add_lag(parser)
    add("--game", help="game that a source shows, or FILE.py:CLASS (default: the one that its files state)")
    add("--json", metavar="FILE", help="also write the summary as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.FILE), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ..data.inspection import open_subject, summary

    if args.masks is not None:
        return _masks(args)
    if args.input is None:
        raise UsageError("name a store or a source, or give --masks CONFIG")
    if args.overrides:
        raise UsageError("--set changes the configuration of --masks; give --masks CONFIG with it")
    if args.out is not None and args.out.suffix.lower() not in (".png", ".mp4"):
        raise UsageError(f"--out {args.out}: write a sheet to a .png or a film to an .mp4")
    subject = _coded(args) or open_subject(args.input, args.game, args.lag)
    report, levels = summary(subject, args.input)
    names = [episode["name"] for episode in report["episodes"]]
    if args.episode is not None and args.episode not in names:
        raise UsageError(f"{args.input} has no episode '{args.episode}'; {_near(args.episode, names)}")
    if args.out is not None:
        _draw(args, subject, args.episode or names[0])
    write_result(args.json, report)
    _print(report, levels)
    if args.out is not None:
        print(f"\n{args.out} shows {args.episode or names[0]}")
    return 0


def _coded(args: argparse.Namespace) -> Subject | None:
    """The episodes of a .hst file (of --game where it holds those of several); None for any other input."""
    from ..data.pairing import refuse_lag
    from ..data.sources.finding import readable
    from ..inputs.kinds import file_kind

    path = readable(args.input)
    if not path.is_file() or file_kind(path) != "hst":
        return None
    refuse_lag(path, args.lag)
    from ..codec.jobs.inputs import coded_episodes
    from ..codec.session.reader import HstReader
    from ..data.inspection import SourceSubject

    with HstReader(path) as reader:
        sizes = {e.description.name: sum(h.size for _, h in e.gops) for e in reader.entries if e.description}
    episodes = coded_episodes(path)
    games = sorted({episode.game for episode in episodes})
    game = args.game or games[0]
    chosen = [episode for episode in episodes if episode.game == game]
    if not chosen or (len(games) > 1 and args.game is None):
        raise UsageError(f"{path}: holds episodes of {', '.join(games)}; choose with --game")
    return SourceSubject("hst", chosen, game, sizes)


def _masks(args: argparse.Namespace) -> int:
    from ..config import load_config
    from ..early import check_resume
    from ..limits import check_run

    if args.out is None or args.out.suffix.lower() != ".png":
        raise UsageError("--masks needs --out FILE.png, the sheet to draw")
    overrides = [*args.overrides, *([] if args.input is None else [f"data.store={args.input}"])]
    if args.masks.is_dir():
        check_resume(args.masks)
    else:
        config = load_config(args.masks, overrides)
        check_run(config)  # both before PyTorch is loaded
        check_data(config.data.store)
    from ..inference.visualizer import save_png
    from ..training.run.mask_sheet import mask_sheet, read_run

    config, learned = read_run(args.masks, overrides)
    save_png(mask_sheet(config, learned), args.out)
    print(f"{args.out} shows the masks of {args.masks} on {config.data.store}")
    return 0


def _near(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    return f"did you mean '{near[0]}'?" if near else f"the first is '{names[0]}'"


def _draw(args: argparse.Namespace, subject: Subject, name: str) -> None:
    from tqdm import tqdm

    from ..drawing.exhibit import Exhibit
    from ..inference.visualizer import save_mp4, save_png
    from ..masks.tubes import parse_tube, tube_mask

    tube = parse_tube(args.mask)
    if tube is None:
        raise UsageError(f"--mask {args.mask}: write tube:RATIO or tube:RATIO:SEED, e.g. tube:0.9")
    film = args.out.suffix.lower() == ".mp4"
    count = args.frames or (FILM_FRAMES if film else SHEET_FRAMES)
    with tqdm(unit="frame", desc="read") as bar:
        episode = subject.frames(name, args.start, count, not film, bar.update)
    height, width = episode.frames.shape[1:3]
    exhibit = Exhibit(episode, subject.game, tube_mask((height, width), tube))
    if film:
        save_mp4(tqdm(exhibit.film(), total=len(exhibit), unit="frame", desc="draw"), args.out, episode.fps)
    else:
        save_png(exhibit.sheet(), args.out)


def _print(report: dict[str, Any], levels: Sequence[LevelCounts]) -> None:
    kind = f"{report['kind']} of {report['source']['kind']}"
    print(f"{report['path']}: {kind}, game {report['game']}")
    if "hash" in report:
        rates = ", ".join(f"{fps:g}" for fps in report["fps"][:4])
        splits = ", ".join(f"{count} {name}" for name, count in report["splits"].items())
        print(f"pictures {', '.join(report['sizes'][:4])} at {rates} fps; state in {report['with_state']} episodes")
        print(f"splits   {splits}")
        print(f"hash     {report['hash']}")
    for line in report["pairing"]:
        print(f"pairing  {line}")
    outcomes = list(levels[-1].outcomes)
    heads = ["level", "episodes", "frames", *outcomes, "repaired", "left out", "bytes/frame"]
    rows = [
        [g.level, f"{g.episodes:,}", f"{g.frames:,}", *(f"{g.outcomes.get(name, 0):,}" for name in outcomes),
         _number(g.repaired), _number(g.left_out), f"{g.bytes_per_frame:,.1f}"]
        for g in levels
    ]  # fmt: skip
    widths = [max(len(row[k]) for row in [heads, *rows]) for k in range(len(heads))]
    print()
    for row in [heads, *rows]:
        print(row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)))


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"  # "-": known once it is packed
