"""A job cut into parts for many machines: which share of the input a part is, and the record that says it is done.

`--part i/n` does a share of the whole input, whose episodes are numbered as ever; `hstmae join` puts them together.
The record is a file beside the part's output, written when that is complete, or, where the output is JSON, that file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from . import __version__
from .atomic import json_bytes, write_json
from .errors import DataError, UsageError
from .journal import programs

FORMAT = "hstmae-part"
DONE = ".done.json"  # ending of the record beside an output
MOST = 1_000_000  # parts
_ASPECTS = {"programs": "by other versions", "input": "of another input", "settings": "with other settings"}


@dataclass(frozen=True)
class Part:
    """Part `number` of `count`, numbered from 1."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def share(self, weights: Iterable[float]) -> range:
        """Positions of the pieces of this part: neighbours, so that all parts one after the other are the whole, and
        that each part has about the same weight. It depends on the weights (0 or more) alone."""
        ends = [*accumulate(max(float(weight), 1.0) for weight in weights)]
        if not ends:
            return range(0)
        middles = [(a + b) / 2 for a, b in zip([0.0, *ends], ends, strict=False)]
        owner = [min(int(middle * self.count / ends[-1]), self.count - 1) for middle in middles]
        mine = [k for k, part in enumerate(owner) if part == self.number - 1]
        return range(mine[0], mine[-1] + 1) if mine else range(0)


def done_path(output: str | Path) -> Path:
    """Where the record of a part lies whose output is a file or folder of this name."""
    return Path(f"{output}{DONE}")


def fingerprint(value: Any) -> str:
    """Of JSON values."""
    return hashlib.sha256(json_bytes(value, sort_keys=True)).hexdigest()[:16]


@dataclass(frozen=True)
class Job:
    """What a part was asked to do.

    Attributes:
        verb: of the command.
        input: fingerprint of the whole input, the same on every machine that has a copy of it.
        stamp: fingerprint of what this part reads, which changes when its files do.
        settings: JSON values that decide the result.
    """

    verb: str
    part: Part
    input: str
    stamp: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Record:
    """The record of a part that is done.

    Attributes:
        job: what it was asked to do; `programs`: the versions that did it.
        result: JSON values, by the verb: what `join` needs besides the output.
    """

    job: Job
    result: dict[str, Any]
    programs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        job = {**asdict(self.job), "part": [self.job.part.number, self.job.part.count]}
        return {
            "format": FORMAT, "version": 1, "hstmae": __version__, "programs": list(self.programs), **job,
            "result": self.result,
        }  # fmt: skip

    def write(self, place: Path) -> None:
        """Whole or not at all, at the end of the part's work."""
        write_json(place, self.to_json())


def done(job: Job, result: dict[str, Any]) -> Record:
    """The record of a job that was done now, by this program."""
    settings = json.loads(json_bytes(job.settings))  # as they are read again: lists, not tuples
    return Record(replace(job, settings=settings), result, tuple(programs()))


def read_record(place: Path) -> Record | None:
    """The record at `place`; None where nothing is there.

    Raises:
        DataError: what is there is no record of a part.
    """
    try:
        value = json.loads(place.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{place}: is no record of a part ({error}); make the part again with --overwrite") from None
    try:
        if value["format"] != FORMAT:
            raise ValueError(f"format {value['format']!r}")
        if value["version"] != 1:
            raise ValueError(f"version {value['version']!r}, this program reads 1")
        number, count = value["part"]
        part = parse_part(f"{number}/{count}")
        texts = [value[name] for name in ("verb", "input", "stamp")]
        if not all(isinstance(text, str) for text in [*texts, *value["programs"]]):
            raise TypeError("texts that are none")
        if not isinstance(value["settings"], dict) or not isinstance(value["result"], dict):
            raise TypeError("no settings, or no result")
        job = Job(texts[0], part, texts[1], texts[2], value["settings"])
        return Record(job, value["result"], tuple(value["programs"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{place}: is no record of a part ({error!r}); `--part i/n` writes one: give its output"
        ) from None


def parse_part(text: str) -> Part:
    """ "2/3" -> Part(2, 3). Raises ValueError."""
    number, slash, count = text.partition("/")
    if not (slash and number.isascii() and count.isascii() and number.isdigit() and count.isdigit()):
        raise ValueError(f"expected i/n, e.g. 2/3, got '{text}'")
    if len(count) > 7 or not 1 <= int(number) <= int(count) <= MOST:
        raise ValueError(f"expected a part from 1/n to n/n, n at most {MOST:,}, got '{text}'")
    return Part(int(number), int(count))


def kept(job: Job, output: Path, place: Path, overwrite: bool) -> dict[str, Any] | None:
    """The result of this very part where it is done already; None where it is to be done.

    Args:
        output: of the part; `place`: where its record lies, or will.
        overwrite: the record of another job may be replaced; it is gone then.
    Raises:
        UsageError: the output is a part of another job.
    """
    try:
        found = read_record(place)
    except DataError:
        if not overwrite:
            raise
        found = None
        place.unlink()
    if found is None:
        return None
    why = difference(done(job, {}), found)
    if why is None and found.job.part != job.part:
        why = f"as part {found.job.part}"
    if why is None and found.job.stamp != job.stamp:
        why = "before its input changed"
    if why is None and output.exists() == bool(found.result.get("empty")):
        why = "and is no longer as it was"
    if why is None:
        return found.result
    if not overwrite:
        raise UsageError(
            f"{output}: was made {why}; give part {job.part} another name, or add --overwrite to make it again"
        )
    place.unlink()
    return None


def difference(one: Record, other: Record) -> str | None:
    """What tells apart the jobs that two parts belong to, for "was made ..."; None where it is one job."""
    if one.job.verb != other.job.verb:
        return f"by `hstmae {other.job.verb}`, not by `hstmae {one.job.verb}`"
    if one.job.part.count != other.job.part.count:
        return f"as one of {other.job.part.count} parts, not of {one.job.part.count}"
    here, there = {**vars(one.job), "programs": one.programs}, {**vars(other.job), "programs": other.programs}
    for aspect, words in _ASPECTS.items():
        if here[aspect] != there[aspect]:
            return words + (_which(one.job.settings, other.job.settings) if aspect == "settings" else "")
    return None


def _which(here: dict[str, Any], there: dict[str, Any]) -> str:
    names = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
    told = [f"{name} {json.dumps(there.get(name))} instead of {json.dumps(here.get(name))}" for name in names[:3]]
    return f" ({', '.join(told)})"


def whole(parts: Sequence[tuple[Path, Record]]) -> list[tuple[Path, Record]]:
    """The parts of one job in their order.

    Args:
        parts: places as the user named them, and their records.
    Raises:
        DataError: one is missing, comes twice, or belongs to another job; the message names which.
    """
    first = parts[0]
    by_number: dict[int, tuple[Path, Record]] = {}
    for place, record in parts:
        why = difference(first[1], record)
        if why is not None:
            raise DataError(f"{place}: does not belong to {first[0]}: it was made {why}")
        number = record.job.part.number
        if number in by_number:
            raise DataError(f"part {record.job.part} comes twice: {by_number[number][0]} and {place}; give it once")
        by_number[number] = (place, record)
    count = first[1].job.part.count
    missing = [k for k in range(1, count + 1) if k not in by_number]
    if missing:
        named = ", ".join(f"{k}/{count}" for k in missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise DataError(f"{len(missing)} of {count} parts are missing: {named}; make them with --part, and give all")
    return [by_number[k] for k in sorted(by_number)]
