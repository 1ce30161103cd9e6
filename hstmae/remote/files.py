"""Files in object stores and on the Hub: `s3://`, `gs://`, `hf://` and whatever else fsspec opens.

A large file is read by ranges: what was fetched lies in a sparse temporary file of the same size, and is not fetched
again. What a command reads otherwise is copied here first, and what it writes is put there when it is complete.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import DataError, UsageError

SCHEMES = ("s3", "gs", "gcs", "hf", "az", "abfs", "memory")
AT_ONCE = 8 << 20  # bytes of a request where much is wanted
_EXTRAS = {"s3": "remote", "hf": "hub"}


def url_of(path: str | os.PathLike[str]) -> str | None:
    """The address that a path means, also one that `pathlib` took a slash of; None for a place on this machine."""
    text = os.fspath(path)
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in SCHEMES or not rest.startswith("/") or os.path.exists(text):
        return None
    return f"{scheme}://{rest.lstrip('/')}"


def file_system(url: str) -> tuple[Any, str]:
    """What fetches from there, and the place in it. Raises UsageError where a library is missing."""
    scheme = url.partition(":")[0]
    try:
        from fsspec.core import url_to_fs

        found, place = url_to_fs(url)
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        how = f"pip install 'hstmae[{extra}]'" if extra else str(error)
        raise UsageError(f"{url}: addresses of {scheme}:// need another library: {how}") from None
    except ValueError as error:
        raise UsageError(f"{url}: cannot be opened ({error})") from None
    return found, place


@contextmanager
def _told(url: str) -> Iterator[None]:
    """One clear error for whatever the libraries raise, of which each has its own."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{url}: no such file") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"{url}: cannot be reached or read ({type(error).__name__}: {error})") from None
    except Exception as error:  # e.g. of botocore: without rights, keys or a network
        if type(error).__module__.partition(".")[0] in ("botocore", "aiohttp", "httpx", "gcsfs", "huggingface_hub"):
            raise DataError(f"{url}: cannot be reached or read ({error}); check address and credentials") from None
        raise


class Ranges:
    """A file far away, as bytes of which those that are asked for by `need` are there. Thread-safe.

    Attributes:
        data: as many bytes as the file has.
        requests, fetched: how often something was fetched, and how many bytes.
    Raises:
        DataError: it is not there, empty, or cannot be reached.
    """

    def __init__(self, url: str) -> None:
        import mmap
        import tempfile

        self.url, self.requests, self.fetched = url, 0, 0
        self._fs, self._place = file_system(url)
        with _told(url):
            info = self._fs.info(self._place)
        size = int(info["size"] or 0)
        if info.get("type") == "directory" or not size:
            raise DataError(f"{url}: is a folder, or empty; a file is needed here")
        self._file = tempfile.TemporaryFile(prefix="hstmae-")  # noqa: SIM115
        self._file.truncate(size)  # nothing of it takes room
        self._map = mmap.mmap(self._file.fileno(), size)
        self.data = memoryview(self._map).toreadonly()
        self._there: list[tuple[int, int]] = []  # parts that were fetched: ascending, apart from each other
        self._lock = threading.Lock()

    def need(self, start: int, end: int) -> None:
        """See that bytes `start` up to `end` are there. Raises DataError where they cannot be fetched."""
        start, end = max(start, 0), min(end, len(self.data))
        with self._lock:
            for a, b in self._missing(start, end):
                for at in range(a, b, AT_ONCE):
                    self._fetch(at, min(at + AT_ONCE, b))

    def _missing(self, start: int, end: int) -> list[tuple[int, int]]:
        found = []
        for a, b in self._there:
            if b <= start or a >= end:
                continue
            if start < a:
                found.append((start, a))
            start = max(start, b)
        return [*found, (start, end)] if start < end else found

    def _fetch(self, start: int, end: int) -> None:
        with _told(self.url):
            packed = self._fs.cat_file(self._place, start=start, end=end)
        if len(packed) != end - start:
            raise DataError(f"{self.url}: gave {len(packed)} bytes instead of {end - start}; has it changed meanwhile?")
        self._map[start:end] = packed
        self.requests, self.fetched = self.requests + 1, self.fetched + len(packed)
        merged: list[tuple[int, int]] = []
        for a, b in sorted([*self._there, (start, end)]):
            if merged and a <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], b))
            else:
                merged.append((a, b))
        self._there = merged

    def close(self) -> None:
        self.data.release()
        self._map.close()
        self._file.close()


def fetch(url: str, folder: Path) -> Path:
    """A copy of a file or folder in `folder`, under its name. Raises DataError where it cannot be had."""
    fs, place = file_system(url)
    target = folder / place.rstrip("/").rpartition("/")[2]
    with _told(url):
        if fs.isfile(place):
            fs.get_file(place, str(target))
            return target
        if not fs.isdir(place):
            raise FileNotFoundError
        root = place.rstrip("/") + "/"
        for name in fs.find(place):
            own = target / name.removeprefix(root)
            if not own.resolve().is_relative_to(target.resolve()):
                raise DataError(f"{url}: a name in it leads out of it: {name}")
            own.parent.mkdir(parents=True, exist_ok=True)
            fs.get_file(name, str(own))
    return target


def exists(url: str) -> bool:
    """Whether anything is there."""
    fs, place = file_system(url)
    with _told(url):
        return bool(fs.exists(place))


def put(path: Path, url: str, last: tuple[str, ...] = ("meta.json", ".done.json")) -> None:
    """Put a file or folder there. A file appears whole; of a folder those whose names end as `last` come last, so that
    who sees them sees a whole one."""
    fs, place = file_system(url)
    with _told(url):
        if path.is_file():
            fs.put_file(str(path), place)
            return
        files = sorted((p for p in path.rglob("*") if p.is_file()), key=lambda p: (p.name.endswith(last), str(p)))
        for file in files:
            fs.put_file(str(file), f"{place.rstrip('/')}/{file.relative_to(path).as_posix()}")
