"""`hstmae verify`: is every byte of a store or a .hst file what was written?"""

import argparse
from pathlib import Path
from typing import Any

from ..output import Kind, Output, write_result
from .options import PROCESSES, add_executor, add_rom
from .options.parts import EXAMPLE, PartRun, add_part

HELP = "check every file of a store against its hash, or decode and check all of a .hst file"
EXAMPLES = (
    """examples:
  hstmae verify data/preprocessed
  hstmae verify data/preprocessed --json report.json
  hstmae verify sessions.hst
  hstmae verify recordings --rom mario.nes

With --rom (needs the extra `emulator`) also the frames of a .hst file, a store or recordings are listed that do not
follow from the one before: from its memory and the buttons the game's own console comes to something else. Such frames
were lost, changed or put together wrongly; the file that holds them may be whole.

Exit status 0: it is whole. 2: it is damaged; what is damaged is listed on stdout.
"""
    + EXAMPLE
    + " Of a part\n--json FILE is the output.\n"
)

_SHOWN = 10  # odd frames of an episode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = "folder of `hstmae preprocess`, or file of `hstmae encode`; with --rom recordings, too"
    parser.add_argument("store", type=Path, metavar="STORE_OR_FILE", help=what)
    parser.add_argument("--checkpoint", metavar="MODEL", help="codec model of a neural file (default: the bundled one)")
    add_rom(parser, "also tell which frames do not follow from the one before: ")
    add_part(parser, "episodes")
    many = "processes (default: one per core, where there is much to check)"
    parser.add_argument("--workers", type=PROCESSES, default=0, metavar="N", help=many)
    add_executor(parser)
    parser.add_argument("--json", metavar="FILE", help="also write the result as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.json, Kind.FILE if args.part is None else Kind.PART)]


def run(args: argparse.Namespace) -> int:
    if args.part is not None:
        return _part(args)
    report, whole = _report(args)
    lines = [] if args.rom is None or report["problems"] else _follow(args, report)
    write_result(args.json, report)
    code = tell(str(args.store), report, whole)
    if not code:
        print(*lines, sep="\n", end="\n" * bool(lines))
    return code


def tell(name: str, report: dict[str, Any], whole: str) -> int:
    """Say what was found of a store or file; `whole` ends the line about one that is, "" = no line. Returns an exit
    status."""
    for problem in report["problems"]:
        print(problem)
    if report["problems"]:
        print(f"{name}: damaged, {len(report['problems'])} problems")
        return 2
    if whole:
        print(f"{name}: whole; {report['episodes']} episodes, {report['frames']:,} frames{whole}")
    return 0


def ending(report: dict[str, Any]) -> str:
    """How the line about a whole store or file ends."""
    return f", hash {report['hash']}" if "store" in report else f" in {report['groups']:,} groups"


def _part(args: argparse.Namespace) -> int:
    from ..errors import UsageError
    from ..parts import fingerprint

    if args.json in (None, "-") or args.rom is not None:
        raise UsageError(
            "--part needs --json FILE for its result, and takes no --rom (HSTMAE_ROM names one to read by)"
        )
    settings = {"checkpoint": args.checkpoint}
    run = PartRun(args, "verify", Path(args.json), fingerprint(_identity(args.store)), _stamp(args.store), settings,
                  beside=False)  # fmt: skip
    report = run.kept
    if report is None:
        report, _ = _report(args)
        run.done(report)
    for problem in report["problems"]:
        print(problem)
    print(f"{args.store}: part {args.part}, {len(report['problems'])} problems")
    return 2 if report["problems"] else 0


def _identity(path: Path) -> list[Any]:
    """The same for a copy on another machine."""
    from ..data.store.manifest import META

    place = path / META if path.is_dir() else path
    with place.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - (1 << 16)))
        return [size, file.read().hex()]


def _stamp(path: Path) -> str:
    """Changes when a file is written anew."""
    from ..parts import fingerprint

    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return fingerprint([[p.name, p.stat().st_size, p.stat().st_mtime_ns] for p in files])


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
    from ..data.store.verifying import verify_store
    from ..errors import StoreError

    if not (args.store / META).is_file():
        EpisodeStore(args.store)  # no store at all: its error says what to do
    report: dict[str, Any] = {
        "store": str(args.store),
        "whole": False,
        "hash": None,
        "episodes": 0,
        "frames": 0,
        "bytes": 0,
    }
    try:
        store = EpisodeStore(args.store)
    except StoreError as error:  # too damaged to be opened, which is a result as well
        if args.part is not None:
            raise
        problems = [str(error)]
    else:
        size = sum(info.data_bytes for info in store.infos())
        with tqdm(total=size, unit="B", unit_scale=True, desc="verify") as bar:
            part = args.part
            share = None if part is None else part.share(info.frames for info in store.infos())
            beside = part is None or part.number == part.count
            problems = verify_store(store, bar.update, share, beside, executor=args.executor, workers=args.workers)
        report.update(hash=store.hash, episodes=len(store), frames=store.frames, bytes=size)
    report |= {"whole": not problems, "problems": problems}
    return report, ending(report)


def _verify_file(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from dataclasses import asdict

    from tqdm import tqdm

    from ..codec.session.verifying import verify_file

    options = {name: value for name in ("checkpoint", "rom") if (value := getattr(args, name)) is not None}
    options |= {"executor": args.executor, "workers": args.workers}
    with tqdm(unit="frame", unit_scale=True, desc="verify") as bar:
        verdict = verify_file(args.store, bar.update, args.part, **options)
    report = {"file": str(args.store), "whole": not verdict.problems, **asdict(verdict)}
    return report, ending(report)
