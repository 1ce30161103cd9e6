"""Minari data sets (HDF5, of steps between T + 1 observations): written and read without that library.

A frame is an observation; the action of step t is what was pressed in frame t, and that of the last frame, which no
step follows, stands with all others in the infos. Pictures are stored raw and packed by gzip: nothing is lost, unlike
in data sets that Minari itself packs as JPEG.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..codec.jobs.inputs import Found
from ..data.episode import OUTCOMES
from ..data.sources.base import Report, SourceFrame, UnusableEpisode, file_stamp
from ..errors import DataError, UsageError
from ..games import get_game
from ..games.palette import colour_table, pack_rgb, to_indices
from .columns import Column, pack_rows
from .lerobot_finding import edited
from .lerobot_writer import OURS
from .outgoing import ACTION, NUMBER, STATE

DATA, METADATA = "data/main_data.hdf5", "data/metadata.json"
WRITTEN_FOR = "0.5.4"
PICTURE, STEP = "rgb", "minari.step"
_NAME = re.compile(r"[-_\w]+?-v\d+")
_AT_ONCE = 64  # frames


def is_minari(path: Path) -> bool:
    return (path / DATA).is_file() and (path / METADATA).is_file()


def hdf5() -> Any:
    """The library. Raises UsageError where it is not there."""
    try:
        import h5py
    except ImportError:
        raise UsageError("Minari data sets need h5py: pip install 'hstmae[exchange]'") from None
    return h5py


@dataclass(frozen=True)
class MinariEpisode:
    """An episode of a data set.

    Attributes:
        root: folder of the data set; `group`: of the episode in its file.
        picture: place of the pictures in the group; `jpeg`: whether they are packed so.
        columns: of the state, with their places in the group; None as a place: whether a step follows the frame.
        action, numbers: places of the actions and of the frames' numbers that `write_minari` wrote, "" = none.
    """

    name: str
    level: str
    outcome: str
    size: int
    fps: float
    game: str
    root: Path
    group: str
    picture: str
    jpeg: bool
    columns: tuple[tuple[Column, str | None], ...] = field(repr=False)
    action: str
    numbers: str
    palette: bytes | None = field(default=None, repr=False)

    def signature(self, content: bool = False) -> list[list[object]]:
        path = self.root / DATA
        return [[path.name, path.stat().st_size, file_stamp(path, content), self.group]]

    def frames(self, report: Report, notes: dict[str, int], known: Container[int] = ()) -> Iterator[SourceFrame]:
        """Raises UnusableEpisode where the file is damaged."""
        spec = get_game(self.game)
        palette = None if self.palette is None else np.frombuffer(self.palette, np.uint8).reshape(-1, 3)
        table = None if palette is None or not spec.indexed else colour_table(palette, spec)
        try:
            with hdf5().File(self.root / DATA, "r") as file:
                group = file[self.group]
                for start in range(0, self.size, _AT_ONCE):
                    rows = slice(start, min(start + _AT_ONCE, self.size))
                    yield from self._some(group, rows, palette, table, bool(spec.buttons))
        except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            raise UnusableEpisode(f"{self.root / DATA}: cannot be read ({error})") from None

    def _some(
        self, group: Any, rows: slice, palette: np.ndarray | None, table: Any, bits: bool
    ) -> Iterator[SourceFrame]:
        count = rows.stop - rows.start
        pictures = [_jpeg(data) if self.jpeg else data for data in group[self.picture][rows]]
        values = {column.name: _column(group, column, place, rows, self.size) for column, place in self.columns}
        state = pack_rows([column for column, _ in self.columns], values, count) if self.columns else None
        actions = np.asarray(group[self.action][rows]) if self.action else None
        if actions is not None:
            whole = (actions == np.round(actions)) & (actions >= 0) & (actions <= (1 if bits else 255))
            if not whole.all():
                raise ValueError("its actions are not those that were written")
            actions = np.packbits(actions.astype(np.uint8), axis=1)[:, 0] if bits else actions
        numbers = group[self.numbers][rows] if self.numbers else np.arange(rows.start, rows.stop)
        for k, picture in enumerate(pictures):
            pixels = picture
            if table is not None:
                entries = to_indices(pack_rgb(picture), table)
                if (entries < 0).any():
                    raise ValueError(f"frame {rows.start + k} has colours that are not in the palette of its game")
                pixels = entries.astype(np.uint8)
            yield SourceFrame(
                int(numbers[k]), np.ascontiguousarray(pixels), palette if table is not None else None,
                None if state is None else state[k], None if actions is None else int(actions[k]),
            )  # fmt: skip


def _column(group: Any, column: Column, place: str | None, rows: slice, size: int) -> np.ndarray:
    """Values of some frames; what a step has and the last frame has not is 0 there."""
    if place is None:
        return (np.arange(rows.start, rows.stop) < size - 1).astype(column.dtype)
    data = np.asarray(group[place][rows])
    short = rows.stop - rows.start - len(data)
    return np.concatenate([data, np.zeros((short, *data.shape[1:]), data.dtype)]) if short else data


def _jpeg(data: np.ndarray) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(np.asarray(data, np.uint8).tobytes())) as picture:
        return np.asarray(picture.convert("RGB"))


def find_minari(root: Path, camera: str | None = None) -> tuple[Found, list[str]]:
    """As `find_lerobot`; `camera` names the observation that is the picture, e.g. "rgb".

    Raises:
        DataError: no data set, a damaged one, or one without pictures.
        UsageError: several observations are pictures, or none has this name.
    """
    try:
        told = json.loads((root / METADATA).read_bytes())
        ours = told.get(OURS) if isinstance(told.get(OURS), dict) else {}
        if told.get("data_format", "hdf5") != "hdf5":
            raise DataError(f"{root}: is stored as {told['data_format']}, and hdf5 is read")
        jpeg = bool(told.get("jpeg_encoding", True))
        space = json.loads(told["observation_space"])
        with hdf5().File(root / DATA, "r") as file:
            names = sorted(file, key=lambda name: int(name.rpartition("_")[2]))
            episodes = [_episode(root, file[name], ours, space, jpeg, camera) for name in names]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{root}: is no Minari data set, or a damaged one ({error!r})") from None
    if not episodes:
        raise DataError(f"{root}: holds no episode")
    first, lost = episodes[0]
    if jpeg and first.jpeg:
        lost = [*lost, "what JPEG had changed in the pictures when Minari packed them"]
    about: dict[str, Any] = edited(ours)
    if not ours or ours.get("foreign"):
        about = {"foreign": "minari", "state": [column.to_json() for column, _ in first.columns]}
    return Found("minari", first.game, [episode for episode, _ in episodes], columns=about), lost


def _episode(
    root: Path, group: Any, ours: dict[str, Any], space: dict[str, Any], jpeg: bool, camera: str | None
) -> tuple[MinariEpisode, list[str]]:
    """An episode, and what of it is not kept."""
    spaces = space["subspaces"] if space["type"] == "Dict" else {"": space}
    boxes = {name: s for name, s in spaces.items() if s.get("type") == "Box"}
    seen = [n for n, s in boxes.items() if s["dtype"] == "uint8" and len(s["shape"]) == 3 and s["shape"][2] == 3]
    if camera is not None and camera not in seen:
        raise UsageError(f"--camera {camera}: {root} has pictures {', '.join(seen) or 'of no kind'}")
    if not seen or (camera is None and len(seen) > 1):
        what = f"name one with --camera: {', '.join(seen)}" if seen else "its observations are numbers alone"
        raise UsageError(f"{root}: {len(seen)} observations are pictures of three colours; {what}")
    chosen = camera if camera is not None else seen[0]
    observed = f"observations/{chosen}".rstrip("/")
    size = len(group[observed])
    own = dict(group.attrs)
    name = str(own.get(f"{OURS}_name") or group.name.strip("/"))
    outcome = str(own.get(f"{OURS}_outcome") or "cut")
    columns: list[tuple[Column, str | None]] = []
    game, palette, action, numbers = "generic", None, "", ""
    lost: list[str] = []
    if ours and not ours.get("foreign"):
        game = str(ours.get("game") or "generic")
        palette = bytes.fromhex(ours["palette"]) if ours.get("palette") else None
        if "observations/state" in group:
            columns = [(Column(STATE, "uint8", group["observations/state"].shape[1:]), "observations/state")]
        action = f"infos/{ACTION}" if f"infos/{ACTION}" in group else ""
        numbers = f"infos/{NUMBER}" if f"infos/{NUMBER}" in group else ""
    else:
        columns, lost = _others(group, observed)
        if ours:  # what came from a third format has its columns in the infos
            columns = [(Column.from_json(value), f"infos/{value['name']}") for value in ours["columns"]]
    packed = jpeg and min(spaces[chosen]["shape"][:2]) >= 32
    return MinariEpisode(
        name, str(own.get(f"{OURS}_level") or ""), outcome if outcome in OUTCOMES else "cut", size,
        float(ours.get("fps") or get_game(game).fps), game, root, group.name, observed, packed, tuple(columns), action,
        numbers, palette,
    ), lost  # fmt: skip


def _others(group: Any, observed: str) -> tuple[list[tuple[Column, str | None]], list[str]]:
    """All numbers besides the pictures as columns, with their places; and what is none."""
    found: list[tuple[Column, str | None]] = []
    lost: list[str] = []

    def look(place: str, item: Any) -> None:
        if not hasattr(item, "dtype") or place == observed:
            return
        if item.dtype.kind in "biuf" and not place.startswith("observations/" + observed):
            found.append((Column(place, str(item.dtype), item.shape[1:]), place))
        else:
            lost.append(f"{place}: {item.dtype} is no number")

    group.visititems(look)
    return [*found, (Column(STEP, "uint8", ()), None)], lost
