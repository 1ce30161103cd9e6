"""`hstmae recover`: save what can be saved of a damaged .hst file."""

import argparse
from dataclasses import asdict
from pathlib import Path

from ..output import Kind, Output, write_result

HELP = "save every whole group of pictures of a damaged or cut off .hst file"
EXAMPLES = """examples:
  hstmae recover damaged.hst saved.hst
  hstmae recover session.hst.part saved.hst
  hstmae recover agent.hst.steps agent.hst    # what RecordSession left where it could not write

Of a .hst file nothing is decoded: the groups are copied as they are, and what is lost is listed. Exit status 0:
something was saved. 2: nothing could be."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="IN", help="damaged file, or one that was being written")
    parser.add_argument("out", type=Path, metavar="OUT.hst", help="sound file to write")
    parser.add_argument("--json", metavar="FILE", help="also write the report as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.FILE), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ..codec.session.recover import recover
    from ..gym.coding import code
    from ..gym.spool import holds_steps

    if holds_steps(args.input):
        frames, left = code(args.input, args.out, overwrite=args.overwrite, keep=True)
        write_result(args.json, {"frames": frames, "lost_bytes": left})
        loss = f"{left:,} bytes could not be used" if left else "nothing was damaged"
        print(f"{args.out}: {frames:,} frames of an environment saved; {loss}")
        return 0
    report = recover(args.input, args.out, overwrite=args.overwrite)
    write_result(args.json, {**asdict(report), "whole": report.whole})
    for name, first, count in report.missing:
        print(f"lost: {name}, frames {first} to {first + count - 1}")
    for problem in report.problems:
        print(f"note: {problem}")
    loss = "nothing was damaged" if report.whole else f"{report.lost_bytes:,} bytes could not be used"
    print(f"{args.out}: {report.frames:,} frames of {report.episodes} episodes saved; {loss}")
    return 0
