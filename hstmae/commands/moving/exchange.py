"""`hstmae exchange`: footage into and out of the formats of other programs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...bundled import find
from ...errors import UsageError
from ...output import Kind, Output, write_result
from ..options import add_footage, add_lag, names, video_options

if TYPE_CHECKING:
    from ...codec.jobs.inputs import Found

HELP = "bring footage into and out of LeRobot, Minari, WebDataset and public data sets' folders"
EXAMPLES = """examples:
  hstmae exchange sessions.hst lerobot/ --to lerobot
  hstmae exchange data/preprocessed lerobot/ --to lerobot --video
  hstmae exchange sessions.hst smb-v0 --to minari
  hstmae exchange sessions.hst shards/ --to webdataset
  hstmae exchange lerobot/ sessions.hst
  hstmae exchange recordings/ sessions.hst --episodes 'zelda_*'

INPUT is what `hstmae encode` takes (a .hst file, a store, recordings, films), or a data set that is found by its marks:
  lerobot     a LeRobot data set of format v3.0
  minari      a Minari data set whose observations hold pictures
  recordings  folders of one film each, with actions.jsonl by presentation time, or states in parquet files
  npz         folders in which each frame is an .npz file: a picture in RGB, and numbers
OUT is a .hst file, or with --to a folder in that layout. Pictures stay bit for bit, but for --video.

Numbers beside the pictures become the bytes of a state, and their names and types are kept in the .hst file, so that
they come out again as they were. What cannot be kept is listed."""

FORMS = ("hst", "lerobot", "minari", "webdataset")
SOURCES = ("auto", "lerobot", "minari", "recordings", "npz")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", type=find, metavar="INPUT", help="footage, or a data set of another program")
    add("out", type=Path, metavar="OUT", help="file or folder to write")
    add("--to", choices=FORMS, help="what to write (default: hst, where OUT ends in .hst)")
    add("--from", dest="form", choices=SOURCES, default="auto", help="what INPUT is (default: found by its marks)")
    add("--camera", metavar="NAME", help="which camera of a data set with several")
    add("--video", action="store_true", help="lerobot: pictures as H.264 films, smaller and lossy")
    add("--no-state", action="store_true", help="leave the game's memory out")
    add("--episodes", type=names, default=[], metavar="NAME,...", help="only these; * and ? for any")
    add_footage(parser)
    add_lag(parser)
    add("--json", metavar="FILE", help="also write the summary as JSON")


def _form(args: argparse.Namespace) -> str:
    return str(args.to or ("hst" if args.out.suffix.lower() == ".hst" else ""))


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.FILE if _form(args) == "hst" else Kind.FOLDER), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ...exchange.finding import find_exchange

    form = _form(args)
    if not form:
        raise UsageError(f"{args.out}: say what to write with --to: {', '.join(FORMS)}")
    if (form == "hst") != (args.out.suffix.lower() == ".hst"):
        raise UsageError(f"{args.out}: --to {form} writes a {'file that ends in .hst' if form == 'hst' else 'folder'}")
    if args.video and form != "lerobot":
        raise UsageError(f"--video is for --to lerobot, not for {form}")
    found, lost = find_exchange(
        args.input, game=args.game, video=video_options(args),
        wanted=args.episodes, lag=args.lag, camera=args.camera, form=args.form,
    )  # fmt: skip
    report = _packed(args, found) if form == "hst" else _written(args, found, form)
    report["not_kept"] = lost
    write_result(args.json, report)
    for line in lost:
        print(f"not kept  {line}")
    return 0


def _packed(args: argparse.Namespace, found: Found) -> dict[str, Any]:
    from tqdm import tqdm

    from ...codec.jobs.encode_many import archive
    from ...codec.jobs.tasks import Settings
    from ..encode import print_summary

    settings = Settings(with_state=not args.no_state, fail=args.on_error == "fail")
    total = sum(episode.size for episode in found.episodes)
    with tqdm(total=total, unit="frame", unit_scale=True, desc="exchange") as bar:
        summary = archive(
            found, args.out, settings, workers=args.workers, overwrite=args.overwrite, progress=bar.update
        )
    print_summary(summary, None, chosen=True)
    return summary.to_json()


def _written(args: argparse.Namespace, found: Found, form: str) -> dict[str, Any]:
    from tqdm import tqdm

    from ...exchange.lerobot_writer import write_lerobot
    from ...exchange.minari_writer import check_name, write_minari
    from ...exchange.outgoing import outgoing
    from ...exchange.webdataset import write_webdataset
    from ...output import filling

    if form == "minari":
        check_name(args.out)
    source = outgoing(found, not args.no_state)
    with filling(args.out, args.overwrite) as folder:
        total = sum(episode.size for episode in found.episodes)
        with tqdm(total=total, unit="frame", unit_scale=True, desc="exchange") as bar:
            if form == "lerobot":
                report = write_lerobot(source, folder, video=args.video, progress=bar.update)
            elif form == "minari":
                report = write_minari(source, folder, args.out.name, bar.update)
            else:
                report = write_webdataset(source, folder, bar.update)
    size = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    report |= {"out": str(args.out), "bytes": size, "problems": [str(problem) for problem in source.problems]}
    print(f"{report['episodes']:,} episodes, {report['frames']:,} frames in {args.out}, {size:,} bytes")
    for problem in report["problems"][:20]:
        print(f"  {problem}")
    return report
