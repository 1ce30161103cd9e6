"""`hstmae verify`: is every byte of a store what was written?"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "check every file of a store against its hash"
EXAMPLES = """examples:
  hstmae verify data/preprocessed
  hstmae verify data/preprocessed --json report.json

Exit status 0: the store is whole. 2: it is damaged; the damaged files are listed on stdout."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", type=Path, metavar="STORE", help="folder written by `hstmae preprocess`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result as JSON")


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..atomic import write_json
    from ..data.manifest import META
    from ..data.store import EpisodeStore
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
    if args.json:
        write_json(args.json, {**report, "whole": not problems, "problems": problems})
    for problem in problems:
        print(problem)
    if problems:
        print(f"{args.store}: damaged, {len(problems)} problems")
        return 2
    print(f"{args.store}: whole; {report['episodes']} episodes, {report['frames']:,} frames, hash {report['hash']}")
    return 0
