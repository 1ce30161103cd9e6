"""What a LeRobot data set holds, by its own tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..codec.jobs.inputs import Found
from ..data.store.told import SCENARIOS
from ..errors import DataError, UsageError
from ..games import get_game
from .columns import Column
from .lerobot_reader import MAJOR, Layout, LeRobotEpisode
from .lerobot_writer import INDICES, INFO, OURS, parquet
from .outgoing import ACTION, DONE, NUMBER, STATE, SUCCESS


def find_lerobot(root: Path, camera: str | None = None) -> tuple[Found, list[str]]:
    """The episodes of a data set, and what of it is not kept, one line each.

    Args:
        camera: feature that is taken for the picture; None = the only one.
    Raises:
        DataError: no data set of this format, or a damaged one.
        UsageError: there are several cameras, or none of this name.
    """
    try:
        info = json.loads((root / INFO).read_bytes())
        version, features = str(info["codebase_version"]), dict(info["features"])
        fps, data_path, video_path = float(info["fps"]), str(info["data_path"]), str(info.get("video_path") or "")
        kinds = {name: str(feature["dtype"]) for name, feature in features.items()}
        shapes = {name: tuple(int(n) for n in feature["shape"]) for name, feature in features.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{root / INFO}: describes no LeRobot data set ({error!r})") from None
    if not version.startswith(MAJOR):
        raise DataError(
            f"{root}: is a LeRobot data set of format {version}, and v3.0 is read; their script "
            "`lerobot.datasets.v30.convert_dataset_v21_to_v30` makes one of the other"
        )
    if not 0 < fps <= 100_000:
        raise DataError(f"{root / INFO}: {fps} frames a second make no sense")
    cameras = [name for name, kind in kinds.items() if kind in ("image", "video")]
    if camera is not None and camera not in cameras:
        raise UsageError(f"--camera {camera}: {root} has {', '.join(cameras) or 'none'}")
    if not cameras or (camera is None and len(cameras) > 1):
        raise UsageError(f"{root}: has {len(cameras)} cameras; name one with --camera: {', '.join(cameras)}")
    camera = camera or cameras[0]
    lost = [f"camera {name}" for name in cameras if name != camera]
    lost += [f"column {name}: {kind} has no fixed size" for name, kind in kinds.items() if kind == "string"]
    ours = info.get(OURS) if isinstance(info.get(OURS), dict) else {}
    numeric = [n for n, kind in kinds.items() if kind not in ("image", "video", "string") and n not in INDICES]
    columns = [
        Column.from_json({"name": n, "dtype": kinds[n], "shape": shapes[n] if shapes[n] != (1,) else (),
                          "names": features[n].get("names")})
        for n in numeric
    ]  # fmt: skip
    layout = Layout(
        root, camera, kinds[camera] == "video", tuple(columns), "", fps, None, "generic", False, data_path, video_path
    )
    tasks = _tasks(root)
    about: dict[str, Any] = {"foreign": "lerobot"}
    if ours and not ours.get("foreign"):  # what we wrote ourselves goes back to where it was
        layout = _own(layout, ours)
        if layout.film and get_game(layout.game).indexed:
            lost.append(f"palette entries of {layout.game}: films have other colours; pictures come in true colour")
            layout = replace(layout, game="generic", palette=None)
    else:
        if len(tasks) > 1:
            layout = replace(layout, state=(*layout.state, Column("task_index", "int64", ())))
        about |= {"tasks": tasks, "state": [column.to_json() for column in layout.state]}
    rows = _episodes(root)
    episodes = [_episode(row, layout, tasks) for row in rows]
    if not episodes:
        raise DataError(f"{root}: holds no episode")
    own = edited(ours) if ours and not ours.get("foreign") else about
    return Found("lerobot", layout.game, list(episodes), columns=own), lost


def edited(ours: dict[str, Any]) -> dict[str, Any]:
    """Of what we wrote beside our own episodes: how clips were edited."""
    return {SCENARIOS: ours[SCENARIOS]} if isinstance(ours.get(SCENARIOS), dict) else {}


def _own(layout: Layout, ours: dict[str, Any]) -> Layout:
    """How to read what `write_lerobot` made of our own episodes."""
    names = {column.name for column in layout.state}
    game = str(ours.get("game") or "generic")
    palette = ours.get("palette")
    spec = get_game(game)
    state = tuple(c for c in layout.state if c.name not in (ACTION, NUMBER, DONE, SUCCESS))
    if any(column.name == STATE and column.dtype != "uint8" for column in state):
        raise DataError(f"{layout.root}: its state is not the one that was written; was it changed?")
    action = ("bits" if spec.buttons else "number") if ACTION in names else ""
    return replace(
        layout, state=state, action=action, game=game, palette=bytes.fromhex(palette) if palette else None,
        numbers=NUMBER in names,
    )  # fmt: skip


def _tasks(root: Path) -> list[str]:
    path = root / "meta" / "tasks.parquet"
    try:
        table = parquet().read_table(path).to_pydict()
        texts = next(values for name, values in table.items() if name != "task_index")
        by_number = dict(zip(table["task_index"], texts, strict=True))
        return [str(by_number[k]) for k in range(len(by_number))]
    except (OSError, ValueError, KeyError, StopIteration) as error:
        raise DataError(f"{path}: is no list of tasks ({error!r})") from None


def _episodes(root: Path) -> list[dict[str, Any]]:
    """The rows of meta/episodes, without statistics, in their order."""
    rows: list[dict[str, Any]] = []
    paths = sorted((root / "meta" / "episodes").glob("*/*.parquet"))
    try:
        for path in paths:
            names = [n for n in parquet().read_schema(path).names if not n.startswith("stats/")]
            rows += parquet().read_table(path, columns=names).to_pylist()
        for row in rows:
            for name in ("episode_index", "length", "data/chunk_index", "data/file_index"):
                row[name] = int(row[name])
            if row["length"] < 0:
                raise ValueError(f"an episode of {row['length']} frames")
        return sorted(rows, key=lambda row: int(row["episode_index"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{root / 'meta/episodes'}: is no list of episodes ({error!r})") from None


def _episode(row: dict[str, Any], layout: Layout, tasks: list[str]) -> LeRobotEpisode:
    from ..data.episode import OUTCOMES

    name = str(row.get(f"{OURS}/name") or f"episode_{row['episode_index']:06d}")
    outcome = str(row.get(f"{OURS}/outcome") or "cut")
    outcome = outcome if outcome in OUTCOMES else "cut"
    return LeRobotEpisode(name, str(row.get(f"{OURS}/level") or ""), outcome, row["length"], layout, row)
