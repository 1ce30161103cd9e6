"""What a command names in an object store: inputs are copied to this machine before, outputs are put there at the end.

An output appears there when all of it is complete, or not at all; while it is made it lies in a temporary folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..inputs.unpacking import new_folder
from ..output import Kind, Output
from ..parts import DONE
from .files import exists, fetch, file_system, put, url_of

READ_THERE = ("data", "checkpoint")  # options whose value is opened where it is


@contextmanager
def staged(args: argparse.Namespace, outputs: Sequence[Output]) -> Iterator[bool]:
    """Replace addresses in parsed arguments by places on this machine; put outputs there when the block ends well.

    Args:
        outputs: of the command, as it names them.
    Yields:
        whether there were any.
    Raises:
        UsageError: an output is there already.
        DataError: an input is not there, or cannot be reached.
    """
    made: list[tuple[Path, str, dict[Path, int]]] = []
    kinds = {url: kind for given, kind in outputs if given is not None and (url := url_of(given)) is not None}
    any_there = False
    for name, value in list(vars(args).items()):
        if name in READ_THERE:
            continue
        values = value if isinstance(value, list) else [value]
        local: list[Any] = []
        for one in values:
            url = url_of(one) if isinstance(one, str | Path) else None
            if url is None:
                local.append(one)
                continue
            any_there = True
            place = _output(url, kinds[url], args, made) if url in kinds else _input(url)
            local.append(str(place) if isinstance(one, str) else place)
        setattr(args, name, local if isinstance(value, list) else local[0])
    yield any_there
    for place, url, before in made:
        _upload(place, url, before)


def _input(url: str) -> Path:
    folder = new_folder()
    file_system(url)  # which says what is missing, by this name
    print(f"fetching {url}", file=sys.stderr)
    if exists(url + DONE):  # of a part
        fetch(url + DONE, folder)
        if not exists(url):
            return folder / url.rstrip("/").rpartition("/")[2]
    return fetch(url, folder)


def _output(url: str, kind: Kind, args: argparse.Namespace, made: list[tuple[Path, str, dict[Path, int]]]) -> Path:
    folder = new_folder()
    place = folder / url.rstrip("/").rpartition("/")[2]
    if getattr(args, "part", None) is not None and exists(url + DONE):
        fetch(url + DONE, folder)
        if exists(url):
            fetch(url, folder)
    elif exists(url) and not getattr(args, "overwrite", False):
        more = " (a folder there is not continued)" if kind is Kind.GROWING else ""
        raise UsageError(f"{url}: is there already; choose another name, or add --overwrite{more}")
    made.append((place, url, _stamps(place)))
    return place


def _stamps(place: Path) -> dict[Path, int]:
    files = [place, Path(f"{place}{DONE}"), *(place.rglob("*") if place.is_dir() else ())]
    return {path: path.stat().st_mtime_ns for path in files if path.is_file()}


def _upload(place: Path, url: str, before: dict[Path, int]) -> None:
    """What was made; a part's record at last."""
    if _stamps(place) == before:  # it was done already
        return
    record = Path(f"{place}{DONE}")
    for path, target in ((place, url), (record, url + DONE)):
        if path.exists():
            put(path, target)
            print(f"put {target}", file=sys.stderr)
