"""`hstmae join`: the parts of a job, made by several machines -> what one run would have made."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DataError, UsageError
from ...output import Kind, Output, write_result

if TYPE_CHECKING:
    from ...parts import Record

HELP = "put the parts of a job together that several machines made with --part"
EXAMPLES = """examples:
  hstmae encode recordings part1.hst --part 1/3      (and 2/3 and 3/3, anywhere)
  hstmae join sessions.hst part1.hst part2.hst part3.hst
  hstmae join data/preprocessed parts/store.*        (records, NAME.done.json, may be named, too, or left out)
  hstmae join nano.json part1.json part2.json        (evaluate and verify: what --json wrote)

What comes out is, byte for byte, the .hst file, the store, the restored frames or the figures of one run without
--part. .hst files and stores are joined by copying: nothing is decoded. A part that is missing, comes twice, was made
of another input, with other settings or by another version is refused by name."""

Parts = Sequence[tuple[Path, "Record"]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help="file or folder to write")
    what = "outputs of --part, in any order; their records NAME.done.json lie beside them"
    parser.add_argument("files", type=Path, nargs="+", metavar="PART", help=what)
    parser.add_argument("--json", metavar="FILE", help="also write the summary as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    kind = Kind.FOLDER
    if args.out.suffix.lower() in (".hst", ".json"):
        kind = Kind.FILE
    return [(args.out, kind), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ...parts import whole

    parts = whole([_opened(path) for path in dict.fromkeys(map(_output, args.files))])
    verb = parts[0][1].job.verb
    if verb not in _JOIN:
        raise DataError(f"{parts[0][0]}: was made by `hstmae {verb}`, whose parts this version does not join")
    suffix, join = _JOIN[verb]
    if suffix and args.out.suffix.lower() != suffix:
        raise UsageError(f"{args.out}: parts of `hstmae {verb}` become a file; give a name that ends in {suffix}")
    if not suffix and args.out.suffix.lower() in (".hst", ".json"):
        raise UsageError(f"{args.out}: parts of `hstmae {verb}` become a folder; give the name of one")
    report, code = join(args, parts)
    write_result(args.json, report)
    return code


def _output(path: Path) -> Path:
    """The output that a record belongs to, where the record was named."""
    from ...parts import DONE

    return path.with_name(path.name.removesuffix(DONE)) if path.name.endswith(DONE) else path


def _opened(path: Path) -> tuple[Path, Record]:
    from ...parts import done_path, read_record

    place = done_path(path)
    if not place.exists() and path.is_file() and path.suffix.lower() != ".hst":
        place = path  # of evaluate and verify
    record = read_record(place)
    if record is None:
        raise DataError(
            f"{path}: is no finished part ({place.name} is not there): --part i/n writes it at its end; give that "
            "command again, or copy the record along"
        )
    if not record.result.get("empty") and not path.exists():
        raise DataError(f"{path}: the record is there, and what it belongs to is not; copy it along")
    return path, record


def _full(parts: Parts) -> Parts:
    """Those that hold something. Raises NothingUsable where none does."""
    from ...data.sources.base import NothingUsable

    full = [(path, record) for path, record in parts if not record.result.get("empty")]
    if not full:
        raise NothingUsable(_problems_of_empty(parts))
    return full


def _problems_of_empty(parts: Parts) -> list[Any]:
    from ...data.sources.base import Problem

    listed = [value for _, record in parts if record.result.get("empty") for value in record.result["problems"]]
    return [Problem(**value) for value in listed]


def _join_files(args: argparse.Namespace, parts: Parts) -> tuple[dict[str, Any], int]:
    from tqdm import tqdm

    from ...codec.jobs.joining import join_files
    from ...space import check_space

    full = _full(parts)
    for path, record in full:
        if path.stat().st_size != record.result["bytes"]:
            raise DataError(
                f"{path}: has {path.stat().st_size:,} bytes, and had {record.result['bytes']:,} when it was done: copy "
                "it again"
            )
    total = sum(path.stat().st_size for path, _ in full)
    check_space(args.out, total)
    with tqdm(total=total, unit="B", unit_scale=True, desc="join") as bar:
        episodes = join_files([path for path, _ in full], args.out, bar.update)
    report = _summed([record.result for _, record in full])
    report |= {"path": str(args.out), "episodes": episodes, "bytes": args.out.stat().st_size}
    report["bytes_per_frame"] = report["bytes"] / report["frames"]
    report["problems"] = [*report["problems"], *map(str, _problems_of_empty(parts))]
    print(f"file      {args.out}, {report['bytes']:,} bytes, of {len(parts)} parts")
    print(f"episodes  {report['episodes']:,}\nframes    {report['frames']:,}")
    print(f"problems  {len(report['problems']):,}")
    return report, 0


def _summed(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summaries of parts as one: numbers and counts added up, lists one after the other."""
    total = dict(results[0])
    for result in results[1:]:
        for name, value in result.items():
            if isinstance(value, dict):
                total[name] = {
                    key: total[name].get(key, 0) + value.get(key, 0) for key in sorted({*total[name], *value})
                }
            elif isinstance(value, list):
                total[name] = [*total[name], *value]
            elif isinstance(value, int | float) and not isinstance(value, bool):
                total[name] += value
    if "pairing" in total:
        total["pairing"] = list(dict.fromkeys(total["pairing"]))
    return total


def _join_stores(args: argparse.Namespace, parts: Parts) -> tuple[dict[str, Any], int]:
    from tqdm import tqdm

    from ...data.store.joining import join_stores
    from ...space import check_space
    from ..preprocess import print_summary

    full = _full(parts)
    total = sum(record.result["bytes"] for _, record in full)
    check_space(args.out, total)
    with tqdm(total=total, unit="B", unit_scale=True, desc="join") as bar:
        stores = [(path, record.result["hash"]) for path, record in full]
        summary = join_stores(stores, _problems_of_empty(parts), args.out, bar.update)
    print_summary(summary)
    return summary.to_json(), 0


def _join_restored(args: argparse.Namespace, parts: Parts) -> tuple[dict[str, Any], int]:
    import shutil

    from tqdm import tqdm

    from ...inference.job import RestoreSummary
    from ...output import filling
    from ..restoring.summary import joined_report, print_report

    full = _full(parts)
    owner: dict[str, Path] = {}
    for path, record in full:
        for name in record.result["files"]:
            if name in owner:
                raise DataError(f"{path}: holds {name}, as does {owner[name]}")
            if Path(name).is_absolute() or ".." in Path(name).parts or not (path / name).is_file():
                raise DataError(f"{path}: {name} is not there, and was when the part was done: copy it again")
            owner[name] = path
    if all(record.result["found_none"] for _, record in full):
        raise DataError(
            "--detect found nothing in any part; say what is missing with --mask or --rect, or add --allow-none"
        )
    summaries = [RestoreSummary.from_json(record.result["summary"]) for _, record in full]
    report = joined_report([record.result["report"] for _, record in full], summaries, args.out)
    with filling(args.out, args.overwrite) as folder, tqdm(total=len(owner), unit="file", desc="join") as bar:
        for name, path in owner.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path / name, folder / name)
            bar.update()
    print_report(report)
    return report, 0


def _join_figures(args: argparse.Namespace, parts: Parts) -> tuple[dict[str, Any], int]:
    from ...evaluation.evaluate import ClipFigures, pooled
    from ..evaluate import table

    result = parts[0][1].result
    clips = []
    for path, record in parts:
        try:
            clips += [ClipFigures.from_json(value) for value in record.result["clips"]]
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise DataError(f"{path}: its figures are damaged ({error!r}); make the part again") from None
    if not clips or [clip.number for clip in clips] != [*range(len(clips))]:
        raise DataError(f"{parts[0][0]} and the others: their clips are not those of one evaluation; make them again")
    report = pooled(clips, result["settings"]) | result["about"]
    write_result(args.out, report)
    print(table(report))
    return report, 0


def _join_verdicts(args: argparse.Namespace, parts: Parts) -> tuple[dict[str, Any], int]:
    from ..verify import ending, tell

    report = dict(parts[0][1].result)
    report["problems"] = [line for _, record in parts for line in record.result["problems"]]
    report["whole"] = not report["problems"]
    if "groups" in report:
        report["groups"] = sum(record.result["groups"] for _, record in parts)
    write_result(args.out, report)
    return report, tell(str(report.get("store", report.get("file"))), report, ending(report))


_JOIN = {  # by verb: how the output's name ends ("" = a folder), and what makes it
    "encode": (".hst", _join_files),
    "preprocess": ("", _join_stores),
    "restore": ("", _join_restored),
    "evaluate": (".json", _join_figures),
    "verify": (".json", _join_verdicts),
}
