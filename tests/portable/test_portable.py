"""What exported models are drawn with, without PyTorch, against the same in PyTorch."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_play import random_state
from shaken import SMALL, shaken

from hstmae.cli import main
from hstmae.config import to_dict
from hstmae.errors import CheckpointError, DataError
from hstmae.exporting import export as exporting
from hstmae.exporting.graphs import ToHead, Whole
from hstmae.games.pixels import View
from hstmae.inference.exported import ExportedPredictor
from hstmae.masks.tubes import TubeSpec, tube_mask
from hstmae.models.attention import window_plan
from hstmae.models.encoder import unit_windows
from hstmae.models.masking import shown_units, spread_order, tube_visible, visible_from_pixels
from hstmae.portable import cubes, kernel, network
from hstmae.portable.folder import BLIND, FORMAT, GOLDEN, HEAD, NETWORK, Export
from hstmae.restoration.restorer import Restorer

CLIP, SIZE = 4, (64, 96)
CONFIG = replace(SMALL, pixel_dim=16, code_dim=8, places="scene")


@pytest.mark.parametrize("ratio", [0.05, 0.5, 0.9, 0.95, 0.999])
def test_tubes_are_those_of_pytorch(ratio: float) -> None:
    for seed in (0, 1, 7, 2**31, 2**32 - 1, 2**32 + 5, 10**17, *range(100, 300)):
        shown = tube_visible(1, 240, ratio, torch.Generator().manual_seed(seed))[0].numpy()
        assert np.array_equal(np.flatnonzero(~tube_mask((240, 256), TubeSpec(ratio, seed))[::16, ::16]), shown)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**31))
def test_units_and_windows_are_those_of_pytorch(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert np.array_equal(cubes.spread_order((rows, columns)), spread_order((rows, columns)).numpy())
    mask = rng.random((2, rows, columns)) < rng.random()
    mask = mask.repeat(16, 1).repeat(16, 2)
    for mine, its in zip(cubes.visible_from_pixels(mask), visible_from_pixels(torch.from_numpy(mask)), strict=True):
        assert np.array_equal(mine, its.numpy())
    visible = cubes.visible_from_pixels(mask)[0]
    own = visible[rng.random(len(visible)) < 0.5]
    shown = cubes.shown_units(own, visible, (rows, columns))
    assert np.array_equal(shown, shown_units(torch.from_numpy(own), torch.from_numpy(visible), (rows, columns)).numpy())
    if not len(visible):
        return
    at = torch.from_numpy(visible)[None]
    yx = torch.stack([at // columns, at % columns], -1)
    plans = iter(cubes.unit_plans(visible, (rows, columns)))
    for side, shift in unit_windows():
        plan, slots, places = window_plan(yx, (rows, columns), side, shift, "packed"), next(plans), next(plans)
        if plan.slots is None or plan.filled is None or plan.place is None:  # all to all: one window
            assert shift == 0 and slots.shape[0] == 1
            continue
        assert np.array_equal(slots, torch.where(plan.filled, plan.slots + 1, 0)[0].numpy())
        assert np.array_equal(places, plan.place[0].numpy())


class Standing:
    """A module in place of its graph in ONNX Runtime."""

    def __init__(self, module: Any) -> None:
        self.module, self.names = module, exporting.input_names(module)

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name=name) for name in self.names]

    def run(self, _: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        with torch.no_grad():
            made = self.module(*(torch.from_numpy(feed[name]) for name in self.names))
        return [one.numpy() for one in (made if isinstance(made, tuple) else (made,))]


@pytest.fixture(scope="module")
def model() -> Any:
    return shaken(CONFIG)


@pytest.fixture
def folder(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export whose graphs are names of modules."""
    state = network.blank_state(model.game, CLIP)
    modules = {NETWORK: ToHead(model, state, True), BLIND: ToHead(model, state, False)}
    files = {HEAD: exporting._npz(exporting.head_weights(model)), **{f"{n}.onnx": n.encode() for n in modules}}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    manifest = {
        "format": FORMAT, "clip": CLIP, "size": SIZE, "cell": model.head.cell, "side": model.head.side,
        "config": to_dict(model.config), "graphs": {n: {"file": f"{n}.onnx"} for n in modules},
        "files": {n: hashlib.sha256(data).hexdigest() for n, data in files.items()},
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(to_dict(model.config)))
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(network, "open_session", lambda graph, threads=None: Standing(modules[graph.decode()]))
    return tmp_path


@pytest.mark.parametrize(
    ("ratio", "level", "compiled"),
    [(0.3, "full", True), (0.9, "full", False), (0.9, "compact", True), (0.5, "none", False), (1.0, "full", True)],
)
def test_the_same_pictures(
    model: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, ratio: float, level: str, compiled: bool
) -> None:
    if not compiled:
        monkeypatch.setattr(kernel, "_library", lambda: None)
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 64, (CLIP, *SIZE), dtype=np.uint8)
    hidden = rng.random((4, 6)) < ratio
    masks = (np.broadcast_to(hidden.repeat(16, 0).repeat(16, 1), frames.shape).copy(),) * 3
    state = random_state(1, CLIP).map(lambda a: a[0].numpy()) if level != "none" else None
    view = View(frames, masks[0], model.game, state, level, (32, 48))
    predictor = ExportedPredictor(Export(folder), NETWORK, None)
    mine = predictor.draw(frames, masks, model.game.palette, state, view, (240, 256))
    its = Restorer(model, CONFIG).draw(frames, masks, model.game.palette, state, view, (240, 256))
    where = masks[2]
    assert mine.indices is not None and its.indices is not None
    assert (mine.indices == its.indices)[where].mean() > 0.999
    assert np.abs(mine.rgb[where].astype(int) - its.rgb[where]).max() <= 2
    assert mine.confidence is not None and its.confidence is not None
    assert np.abs(mine.confidence - its.confidence)[where].max() < 1e-2
    if len(np.unique(its.indices[where])) < 4:
        pytest.fail("the picture has too few colours to compare")


def test_what_is_shorter_than_a_clip_and_what_is_of_another_size(model: Any, folder: Path) -> None:
    predictor = ExportedPredictor(Export(folder), NETWORK, None)
    frames = np.random.default_rng(0).integers(0, 64, (1, *SIZE), dtype=np.uint8)
    mask = np.zeros(frames.shape, bool)
    mask[:, :16] = True
    made = predictor.restore(frames, mask)
    assert made.indices is not None and made.indices.shape == frames.shape
    assert np.array_equal(made.indices[~mask], frames[~mask])
    with pytest.raises(DataError, match=r"exported for 4 frames of 96x64.*--size 96x80"):
        predictor.restore(np.zeros((4, 80, 96), np.uint8), np.ones((4, 80, 96), bool))


def test_whole_graphs_answer_as_the_model(model: Any) -> None:
    state = random_state(1, CLIP).map(lambda a: a[0].numpy())
    frames = np.random.default_rng(0).integers(0, 64, (CLIP, *SIZE), dtype=np.uint8)
    feed = network.feed_of(frames, np.array([1, 5, 9, 20]), np.array([0, 4, 30]), state, 2, (0, 0))
    (logits,) = Standing(Whole(model, state, True)).run(None, feed)
    content, _, film = Standing(ToHead(model, state, True)).run(None, feed)
    assert logits.shape == (3, 2, 16, 16, 64) and content.shape[:3] == (3, 2, 4) and film.shape == (CLIP, 32)
    assert all(a.dtype in (np.int32, np.float32) for a in feed.values())


def test_damaged_exports_are_refused(folder: Path) -> None:
    (folder / HEAD).write_bytes(b"x")
    with pytest.raises(CheckpointError, match="does not match its hash"):
        ExportedPredictor(Export(folder), NETWORK, None)
    with pytest.raises(CheckpointError, match="no graph 'network_int8' \\(network, blind\\)"):
        Export(folder).graph("network_int8")
    (folder / f"{NETWORK}.onnx").unlink()
    with pytest.raises(CheckpointError, match="is missing"):
        Export(folder).graph(NETWORK)
    text = (folder / "manifest.json").read_text()
    for broken in ("", "[]", "{}", text.replace(FORMAT, "other"), text.replace('"size"', '"sise"'), text[:-40]):
        (folder / "manifest.json").write_text(broken)
        with pytest.raises(CheckpointError, match="manifest"):
            Export(folder)


# A small export that lies with the tests, in ONNX Runtime itself.


@pytest.fixture
def tiny(root: Path) -> Path:
    pytest.importorskip("onnxruntime")
    return root / "tests" / "data" / "export_tiny"


def test_golden_outputs_of_a_small_export(tiny: Path) -> None:
    errors = exporting.check_golden(tiny)
    assert errors.keys() == {NETWORK, BLIND} and max(errors.values()) < 1e-4
    with np.load(io.BytesIO((tiny / GOLDEN).read_bytes())) as saved:
        assert np.abs(saved["network.content"]).max() > 0.1  # not a comparison of zeros


WITHOUT = """
import sys
sys.modules["torch"] = None
from hstmae.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_footage_is_restored_where_pytorch_is_not(tiny: Path, tmp_path: Path) -> None:
    """Tubes, and lost frames of which nothing is visible."""
    line = ["restore", "assets/sample_session", "--frames", "0:8", "--runtime", "onnx", "--checkpoint", str(tiny)]
    for number, more in enumerate((["--mask", "tube:0.9:1", "--state", "none"], ["--lost", "2-3"])):
        out = tmp_path / str(number)
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, *line, *more, "--out", str(out)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert len(list(out.rglob("*.png"))) == 8


def test_what_an_export_is_not_for(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["restore", "assets/sample_session", "--mask", "tube:0.9:1", "--out", str(tmp_path / "out")]
    for more, told in (
        (["--checkpoint", str(tiny)], "--runtime onnx"),
        (["--runtime", "onnx"], "needs an export"),
        (["--runtime", "onnx", "--checkpoint", "hst-mae-nano"], "is no export"),
        (["--runtime", "onnx-int8", "--checkpoint", str(tiny)], "no graph 'network_int8'"),
    ):
        assert main([*line, *more]) == 2
        assert told in capsys.readouterr().err
