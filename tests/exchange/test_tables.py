"""Films and pictures with tables beside them, as public data sets have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exchanged import run

from hstmae.codec.session.reader import HstReader
from hstmae.exchange.columns import Column, unpack_rows


def npz_frames(folder: Path) -> None:
    draw = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for t in range(11):
            picture = draw.integers(0, 256, (14, 16, 3), np.uint8)
            np.savez(folder / name / f"{t}.npz", rgb=picture, buttons=draw.integers(0, 2, 8).astype(np.uint8))


def test_one_npz_a_frame_comes_in(tmp_path: Path) -> None:
    npz_frames(tmp_path / "set")
    (tmp_path / "set" / "a" / "3.npz").write_bytes(b"broken")
    assert run("exchange", tmp_path / "set", tmp_path / "x.hst", "--workers", 1, "--json", tmp_path / "x.json") == 0
    told = json.loads((tmp_path / "x.json").read_text())
    assert len(told["problems"]) == 1 and "3.npz" in told["problems"][0]
    with HstReader(tmp_path / "x.hst") as reader:
        own = reader.episode("b")
        columns = [Column.from_json(value) for value in reader.contents.about["columns"]["state"]]
        assert reader.episode("a").frame_numbers.tolist() == [0, 1, 2, *range(4, 11)]
        for t in range(11):
            with np.load(tmp_path / "set" / "b" / f"{t}.npz") as arrays:
                assert np.array_equal(own.frames[t], arrays["rgb"])
                assert np.array_equal(unpack_rows(columns, own.state)["buttons"][t], arrays["buttons"])


def film(path: Path, frames: int) -> None:
    from fractions import Fraction

    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.height, stream.width, stream.pix_fmt = 32, 64, "yuv420p"
        stream.codec_context.thread_count = 1
        for t in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((32, 64, 3), 9 * t, np.uint8), "rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 10 frames a second, for a second, without tables."""
    folder = tmp_path_factory.mktemp("session")
    film(folder / "recording.mp4", 10)
    return folder


def with_tables(session: Path, folder: Path, lines: list[dict[str, Any]], name: str = "actions.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recording.mp4").write_bytes((session / "recording.mp4").read_bytes())
    (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.mark.parametrize(("name", "unit"), [("time", 1.0), ("t", 1e3), ("timestamp", 1e9), ("time_ms", 1e3)])
def test_actions_by_presentation_time(session: Path, tmp_path: Path, name: str, unit: float) -> None:
    lines: list[dict[str, Any]] = [
        {name: 0.15 * unit, "keys": ["W", "SPACE"], "mouse": {"dx": 1.5, "dy": -2}},
        {name: 0.5 * unit, "keys": [], "mouse": {"dx": 0.25, "dy": 0}},
        {name: 0.8 * unit, "keys": ["W"], "mouse": {"dx": 0, "dy": 0}},
    ]
    folder = with_tables(session, tmp_path / "in", lines)
    (folder / "events.jsonl").write_text("{}\n")
    assert run("exchange", folder, tmp_path / "x.hst", "--workers", 1, "--json", tmp_path / "x.json") == 0
    assert json.loads((tmp_path / "x.json").read_text())["not_kept"] == ["events.jsonl"]
    with HstReader(tmp_path / "x.hst") as reader:
        own = reader.episode(0)
        values = unpack_rows([Column.from_json(v) for v in reader.contents.about["columns"]["state"]], own.state)
        assert values["keys=W"].tolist() == [False] * 2 + [True] * 3 + [False] * 3 + [True] * 2
        assert values["keys=SPACE"].tolist() == [False] * 2 + [True] * 3 + [False] * 5
        assert values["mouse.dx"].tolist() == [0.0] * 2 + [1.5] * 3 + [0.25] * 3 + [0.0] * 2
        assert reader.groups.film(0) is not None  # the film itself, with all that is in it
        assert b"".join(reader.groups.film(0).file()) == (session / "recording.mp4").read_bytes()


def test_entities_become_padded_arrays(session: Path, tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    folder = with_tables(session, tmp_path / "in", [{"time": t / 10, "keys": []} for t in range(10)])
    rows = {"frame": [0, 0, 1, 4, 4, 4, 9], "x": [1.0, 2, 3, 4, 5, 6, 7], "kind": [1, 2, 1, 3, 1, 2, 9]}
    pq.write_table(pa.table(rows), folder / "entities.parquet")
    assert run("exchange", folder, tmp_path / "x.hst", "--workers", 1) == 0
    with HstReader(tmp_path / "x.hst") as reader:
        columns = [Column.from_json(v) for v in reader.contents.about["columns"]["state"]]
        values = unpack_rows(columns, reader.episode(0).state)
        assert values["entities.count"].tolist() == [2, 1, 0, 0, 3, 0, 0, 0, 0, 1]
        assert values["entities.x"][4].tolist() == [4, 5, 6] and values["entities.kind"][9].tolist() == [9, 0, 0]


BAD = {
    "no time": [{"keys": []}],
    "falling times": [{"time": 0.5}, {"time": 0.1}],
    "a unit that nobody can tell": [{"time": 0.0}, {"time": 37.0}],
    "a line without a time": [{"time": 0.1, "keys": []}, {"keys": []}],
    "a frame that is not there": [{"frame": 3}, {"frame": 10}],
    "too many keys": [{"time": k / 1000, "keys": [f"k{k}"]} for k in range(1000)],
    "infinite times": [{"time": float("inf"), "a": 1}],
}


@pytest.mark.parametrize("what", BAD)
def test_tables_that_make_no_sense_are_refused(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    folder = with_tables(session, tmp_path / "in", BAD[what])
    assert run("exchange", folder, tmp_path / "x.hst", "--workers", 1) == 2
    told = capsys.readouterr().err
    assert "hstmae exchange: error: " in told and "Traceback" not in told
    assert not (tmp_path / "x.hst").exists()
