"""`hstmae verify`: is every byte of a store or a .hst file what was written?"""

import argparse
from pathlib import Path
from typing import Any

from ..output import Kind, Output, write_result

HELP = "check every file of a store against its hash, or decode and check all of a .hst file"
EXAMPLES = """examples:
  hstmae verify data/preprocessed
  hstmae verify data/preprocessed --json report.json
  hstmae verify sessions.hst

Exit status 0: it is whole. 2: it is damaged; what is damaged is listed on stdout."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = "folder of `hstmae preprocess`, or file of `hstmae encode`"
    parser.add_argument("store", type=Path, metavar="STORE_OR_FILE", help=what)
    parser.add_argument("--checkpoint", metavar="MODEL", help="codec model of a neural file (default: the bundled one)")
    parser.add_argument("--json", metavar="FILE", help="also write the result as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    report, whole = _verify_file(args) if args.store.is_file() else _verify_store(args)
    write_result(args.json, report)
    for problem in report["problems"]:
        print(problem)
    if report["problems"]:
        print(f"{args.store}: damaged, {len(report['problems'])} problems")
        return 2
    print(f"{args.store}: whole; {report['episodes']} episodes, {report['frames']:,} frames{whole}")
    return 0


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

    options = {} if args.checkpoint is None else {"checkpoint": args.checkpoint}
    with tqdm(unit="frame", unit_scale=True, desc="verify") as bar:
        verdict = verify_file(args.store, bar.update, **options)
    report = {"file": str(args.store), "whole": not verdict.problems, **asdict(verdict)}
    return report, f" in {verdict.groups:,} groups"
