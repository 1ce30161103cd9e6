"""Episodes as WebDataset shards: tar files in which a frame is a picture and a JSON file of one name.

shard-000000.tar: 000000_000000.png, 000000_000000.json, 000000_000000.state.npy, ...
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..data.store.told import SCENARIO, SCENARIOS
from ..errors import DataError
from ..pictures.indexed import to_png
from .outgoing import STATE, Outgoing

SHARD_BYTES = 256 << 20
_MANY = 16  # more numbers than these go into a file of their own


def write_webdataset(
    source: Outgoing, folder: Path, progress: Callable[[int], object] | None = None, shard_bytes: int = SHARD_BYTES
) -> dict[str, Any]:
    """Write shards into an empty folder. Result and errors as of `write_lerobot`.

    Args:
        shard_bytes: a shard that is larger than this gets no further frame.
    """
    frames, edited = 0, source.about.get(SCENARIOS, {})
    with _Shards(folder, shard_bytes) as shards:
        for number, episode in enumerate(source.episodes):
            position = 0
            for rows in source.rows(episode, progress):
                for k in range(len(rows)):
                    tar, key = shards.open(), f"{number:06d}_{position:06d}"
                    _add(tar, f"{key}.png", to_png(rows.rgb[k], None))
                    about: dict[str, Any] = {"episode": episode.name, "level": episode.level, "frame": position}
                    about |= {"game": source.game(episode), "time": position / source.fps}
                    for column in source.columns:
                        value = rows.values[column.name][k]
                        if value.size > _MANY:
                            name = "state" if column.name == STATE else column.name.replace(".", "_")
                            packed = io.BytesIO()
                            np.save(packed, value)
                            _add(tar, f"{key}.{name}.npy", packed.getvalue())
                        else:
                            about[column.name] = value.tolist()
                    if not position and episode.name in edited:
                        about[SCENARIO] = edited[episode.name]
                    _add(tar, f"{key}.json", json.dumps(about, sort_keys=True).encode())
                    position += 1
            frames += position
        return {"episodes": len(source.episodes), "frames": frames, "shards": shards.count}


def scenarios_of_shards(folder: Path) -> dict[str, dict[str, Any]]:
    """How clips were edited, by their names: it stands in the JSON file of the first frame of each.

    Raises:
        DataError: a shard is damaged.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("shard-*.tar")):
        try:
            with tarfile.open(path) as tar:
                for member in tar:
                    if member.name.endswith("_000000.json"):
                        file = tar.extractfile(member)
                        about = json.loads(file.read()) if file is not None else {}
                        if SCENARIO in about:
                            found[str(about["episode"])] = dict(about[SCENARIO])
        except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: is no shard of frames, or a damaged one ({error!r})") from None
    return found


class _Shards:
    """The tar file that is being written: a new one when it is large enough."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self._most, self.count = folder, most, 0
        self._tar: tarfile.TarFile | None = None

    def __enter__(self) -> _Shards:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tar is not None:
            self._tar.close()

    def open(self) -> tarfile.TarFile:
        if self._tar is not None and self._tar.offset > self._most:
            self._tar.close()
            self._tar = None
        if self._tar is None:
            self._tar = tarfile.open(self._folder / f"shard-{self.count:06d}.tar", "w")  # noqa: SIM115
            self.count += 1
        return self._tar


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A file of no date and owner, so that the same episodes give the same bytes."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
