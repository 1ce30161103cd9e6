"""Footage into and out of other programs' formats: pixels, states and actions equal, and nothing is lost in silence."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exchanged import episode, needs, run, same
from PIL import Image

from hstmae.codec.session.encoder import encode_episode
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.writer import HstWriter
from hstmae.exchange.columns import Column, pack_rows, unpack_rows
from hstmae.exchange.statistics import PictureStats, number_stats, pooled_stats


@pytest.mark.parametrize("game", ["smb", "generic"])
@pytest.mark.parametrize(("form", "module"), [("lerobot", "pyarrow"), ("minari", "h5py")])
def test_out_and_in_again_is_the_same(base: Path, tmp_path: Path, game: str, form: str, module: str) -> None:
    needs(module)
    out = tmp_path / "set-v0"
    assert run("exchange", base / f"{game}.hst", out, "--to", form) == 0
    assert run("exchange", out, tmp_path / "again.hst", "--workers", 1) == 0
    same(base / f"{game}.hst", tmp_path / "again.hst")
    assert run("exchange", out, tmp_path / "again.hst") == 2  # what is there stays
    assert run("exchange", base / f"{game}.hst", out, "--to", form) == 2


def test_webdataset_has_every_frame(base: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run("exchange", base / "smb.hst", tmp_path / name, "--to", "webdataset") == 0
    shard = tmp_path / "one" / "shard-000000.tar"
    assert shard.read_bytes() == (tmp_path / "two" / "shard-000000.tar").read_bytes()
    with tarfile.open(shard) as tar, HstReader(base / "smb.hst") as reader:
        names = tar.getnames()
        keys = list(dict.fromkeys(name.partition(".")[0] for name in names))
        assert len(names) == 3 * len(reader) and keys == sorted(keys)
        for frame, key in zip(reader, keys, strict=True):
            assert np.array_equal(np.asarray(Image.open(tar.extractfile(f"{key}.png"))), frame.rgb)
            about = json.load(tar.extractfile(f"{key}.json"))
            assert (about["episode"], about["hst.frame_number"]) == (frame.episode, frame.number)
            assert np.packbits(np.array(about["action"], np.uint8))[0] == frame.action
            stored = tar.extractfile(f"{key}.state.npy").read()
            assert stored[-2048:] == frame.state.tobytes()


# Other programs' own readers and writers, in an environment of their own or in this one.


def damaged(folder: Path, change: Callable[[dict[str, Any]], object], place: str) -> None:
    value = json.loads((folder / place).read_text())
    change(value)
    (folder / place).write_text(json.dumps(value))


CHANGES: list[tuple[str, str, Callable[[dict[str, Any]], object]]] = [
    ("lerobot", "meta/info.json", lambda v: v.update(codebase_version="v2.1")),
    ("lerobot", "meta/info.json", lambda v: v.update(fps=0)),
    ("lerobot", "meta/info.json", lambda v: v.update(features=[])),
    ("lerobot", "meta/info.json", lambda v: v["features"].update({"x": {"dtype": "object", "shape": [1]}})),
    ("lerobot", "meta/info.json", lambda v: v["features"].pop("observation.image")),
    ("lerobot", "meta/info.json", lambda v: v.update(data_path="data/none.parquet")),
    ("minari", "data/metadata.json", lambda v: v.update(observation_space="{}")),
    ("minari", "data/metadata.json", lambda v: v.update(data_format="arrow")),
    ("minari", "data/metadata.json", lambda v: v.pop("observation_space")),
]


@pytest.mark.parametrize(("form", "place", "change"), CHANGES)
def test_damaged_sets_are_refused_in_one_line(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, place: str, change: Any
) -> None:
    needs("pyarrow", "h5py")
    assert run("exchange", base / "generic.hst", tmp_path / "set-v0", "--to", form) == 0
    damaged(tmp_path / "set-v0", change, place)
    capsys.readouterr()
    assert run("exchange", tmp_path / "set-v0", tmp_path / "x.hst", "--workers", 1) == 2
    told = capsys.readouterr().err
    assert "hstmae exchange: error: " in told and "Traceback" not in told and not (tmp_path / "x.hst").exists()


def test_episodes_that_differ_are_named(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with HstWriter(tmp_path / "mixed.hst") as writer:
        for k, game in enumerate(("smb", "generic")):
            for chunk in encode_episode(make_profile("lossless", game), episode(k, game, 2), k):
                writer.append(chunk)
    assert run("exchange", tmp_path / "mixed.hst", tmp_path / "out", "--to", "webdataset") == 2
    assert "--episodes" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert run("exchange", tmp_path / "mixed.hst", tmp_path / "out", "--to", "webdataset", "--episodes", "e1") == 0
    assert run("exchange", base / "smb.hst", tmp_path / "noversion", "--to", "minari") == 2
    assert "noversion-v0" in capsys.readouterr().err


def test_columns_survive_bit_for_bit() -> None:
    columns = [
        Column("a", "float64", (2, 3)),
        Column("b", "bool", ()),
        Column("c", "int16", (1,)),
        Column("d", "float32", ()),
    ]
    draw = np.random.default_rng(0)
    values = {"a": draw.normal(size=(5, 2, 3)), "b": draw.random(5) < 0.5, "c": draw.integers(-9, 9, (5, 1))}
    values["d"] = np.array([np.nan, np.inf, -0.0, 1e-45, 3.0], np.float32)
    again = unpack_rows([Column.from_json(c.to_json()) for c in columns], pack_rows(columns, values, 5))
    for name, value in values.items():
        assert np.array_equal(again[name], value, equal_nan=name == "d")
    assert again["d"].tobytes() == values["d"].tobytes()


def test_statistics_are_those_of_all_frames() -> None:
    draw = np.random.default_rng(0)
    films = [draw.integers(0, 256, (n, 4, 6, 3), np.uint8) for n in (3, 5)]
    parts = []
    for pictures in films:
        sums = PictureStats()
        for picture in pictures:
            sums.add(picture[None])
        parts.append({"x": sums.result(), "y": number_stats(pictures[:, 0, 0].astype(np.float32))})
    pooled = pooled_stats(parts)
    whole = np.concatenate(films) / 255.0
    for key, function in (("mean", np.mean), ("std", np.std), ("min", np.min), ("max", np.max)):
        assert pooled["x"][key].ravel() == pytest.approx(function(whole, axis=(0, 1, 2)))
        assert pooled["y"][key] == pytest.approx(function(np.concatenate(films)[:, 0, 0].astype(float), axis=0))
    assert pooled["x"]["count"].tolist() == [8] and pooled["x"]["mean"].shape == (3, 1, 1)
