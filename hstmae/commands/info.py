"""`hstmae info`: what is in a .hst file?"""

import argparse
from pathlib import Path

from ..output import STDOUT, Kind, Output, write_result

HELP = "tell what is in a .hst file, without decoding it"
EXAMPLES = """examples:
  hstmae info sessions.hst
  hstmae info sessions.hst --json info.json
  hstmae info sessions.hst --json - | python -m json.tool"""

_SHOWN = 40  # episodes in the table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="file written by `hstmae encode`")
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help="JSON instead, or into FILE, too")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ..codec.session.verifying import describe

    report = describe(args.file)
    write_result(args.json, report)
    if args.json == str(STDOUT):
        return 0
    episodes, frames = report["episodes"], report["frames"]
    streams = ", ".join(f"{name} {size / frames:.1f}" for name, size in sorted(report["streams"].items()))
    profiles = sorted({f"{e['profile']} ({e['tables']} {e['tables_sha256'][:12]})" for e in episodes})
    missing = sum(count for e in episodes for _, count in e["missing"])
    print(f"file      {report['file']}, {report['bytes']:,} bytes\nepisodes  {len(episodes):,}")
    print(f"frames    {frames:,}, {report['bytes_per_frame']:.1f} bytes each")
    print(f"of which  {streams}, container {report['container_bytes'] / frames:.1f}")
    print(
        f"ratio     {report['ratio_to_rgb']:,.0f} to RGB pictures, {report['ratio_to_raw']:,.0f} to all of it unpacked"
    )
    print(f"profile   {', '.join(profiles)}")
    if said := sorted({name for e in episodes for name in e["said"]}):
        print(f"steps     {', '.join(said)}")
    groups = sorted({e["gop"] for e in episodes})
    print(f"groups    {', '.join(map(str, groups))} frames")
    print(f"index     {'whole' if report['indexed'] else 'none that can be used: the file was scanned'}")
    if missing or report["damaged_bytes"]:
        print(f"damage    {missing:,} frames lost, {report['damaged_bytes']:,} bytes damaged")
    print(f"\n{'episode':<40} {'level':<6} {'outcome':<7} {'frames':>8} {'bytes/frame':>11}")
    for e in episodes[:_SHOWN]:
        print(f"{e['name']:<40} {e['level']:<6} {e['outcome']:<7} {e['frames']:>8,} {e['bytes'] / e['frames']:>11.1f}")
    if len(episodes) > _SHOWN:
        print(f"... and {len(episodes) - _SHOWN:,} more (--json lists all)")
    return 0
