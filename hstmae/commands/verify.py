"""`hstmae verify`: is every byte of a store or a .hst file what was written?"""

import argparse
from pathlib import Path
from typing import Any

from ..output import Kind, Output, write_result
from .options import add_rom

HELP = "check every file of a store against its hash, or decode and check all of a .hst file"
EXAMPLES = """examples:
  hstmae verify data/preprocessed
  hstmae verify data/preprocessed --json report.json
  hstmae verify sessions.hst
  hstmae verify recordings --rom mario.nes

With --rom (needs the extra `emulator`) also the frames of a .hst file, a store or recordings are listed that do not
follow from the one before: from its memory and the buttons the game's own console comes to something else. Such frames
were lost, changed or put together wrongly; the file that holds them may be whole.

Exit status 0: it is whole. 2: it is damaged; what is damaged is listed on stdout."""

_SHOWN = 10  # odd frames of an episode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = "folder of `hstmae preprocess`, or file of `hstmae encode`; with --rom recordings, too"
    parser.add_argument("store", type=Path, metavar="STORE_OR_FILE", help=what)
    parser.add_argument("--checkpoint", metavar="MODEL", help="codec model of a neural file (default: the bundled one)")
    add_rom(parser, "also tell which frames do not follow from the one before: ")
    parser.add_argument("--json", metavar="FILE", help="also write the result as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    report, whole = _report(args)
    lines = [] if args.rom is None or report["problems"] else _follow(args, report)
    write_result(args.json, report)
    for problem in report["problems"]:
        print(problem)
    if report["problems"]:
        print(f"{args.store}: damaged, {len(report['problems'])} problems")
        return 2
    if whole:
        print(f"{args.store}: whole; {report['episodes']} episodes, {report['frames']:,} frames{whole}")
    for line in lines:
        print(line)
    return 0


def _report(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The report, and how the line about what is whole ends; "" for recordings, of which only the frames are told."""
    from ..data.store.manifest import META

    if args.store.is_file() and args.store.suffix.lower() == ".hst":
        return _verify_file(args)
    if args.rom is not None and not (args.store / META).is_file():
        return {"recordings": str(args.store), "problems": []}, ""
    return _verify_file(args) if args.store.is_file() else _verify_store(args)


def _follow(args: argparse.Namespace, report: dict[str, Any]) -> list[str]:
    """Lines about frames that do not follow; the report gets them as well."""
    from tqdm import tqdm

    from ..codec.jobs.follow import follow_input, to_json

    with tqdm(unit="frame", unit_scale=True, desc="follow") as bar:
        found = follow_input(args.store, args.rom, bar.update)
    report["follow"] = told = to_json(found)
    lines = [f"{told['odd_frames']:,} of {told['tested_frames']:,} frames do not follow from the one before"]
    for name, one in found.items():
        lines += [f"  {name}: {one.why}"] if one.why else []
        lines += [f"  {name}: {odd}" for odd in one.odd[:_SHOWN]]
        lines += [f"  {name}: and {len(one.odd) - _SHOWN:,} more (--json lists all)"] if len(one.odd) > _SHOWN else []
    return lines


def _verify_store(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The report, and how the line about a whole one ends."""
    from tqdm import tqdm

    from ..data.store.manifest import META
    from ..data.store.reader import EpisodeStore
    from ..errors import StoreError

    if not (args.store / META).is_file():
        EpisodeStore(args.store)  # no store at all: its error says what to do
    report = {"store": str(args.store), "whole": False, "hash": None, "episodes": 0, "frames": 0, "bytes": 0}
    try:
        store = EpisodeStore(args.store)
    except StoreError as error:  # too damaged to be opened, which is a result as well
        problems = [str(error)]
    else:
        size = sum(info.data_bytes for info in store.infos())
        with tqdm(total=size, unit="B", unit_scale=True, desc="verify") as bar:
            problems = store.verify(bar.update)
        report.update(hash=store.hash, episodes=len(store), frames=store.frames, bytes=size)
    return {**report, "whole": not problems, "problems": problems}, f", hash {report['hash']}"


def _verify_file(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from dataclasses import asdict

    from tqdm import tqdm

    from ..codec.session.verifying import verify_file

    options = {name: value for name in ("checkpoint", "rom") if (value := getattr(args, name)) is not None}
    with tqdm(unit="frame", unit_scale=True, desc="verify") as bar:
        verdict = verify_file(args.store, bar.update, **options)
    report = {"file": str(args.store), "whole": not verdict.problems, **asdict(verdict)}
    return report, f" in {verdict.groups:,} groups"
