"""Exports for phones: what they are made of, options and manifest, and, where they are at hand, their own runtimes."""

from __future__ import annotations

import hashlib
import io
import json
import os
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
from shaken import SMALL, shaken
from torch import nn

from hstmae.cli import main
from hstmae.errors import ConfigError
from hstmae.exporting import export as exporting
from hstmae.exporting import libraries, phones
from hstmae.exporting.executorch import write_executorch
from hstmae.exporting.fixed import axis_runs, fixed
from hstmae.exporting.graphs import ToHead, input_names
from hstmae.exporting.litert import count, write_litert
from hstmae.exporting.whole_numbers import for_phones, hashed_in_bytes, mixed_in_bytes
from hstmae.models.state.place_memory import _SEEDS, hashed, mixed
from hstmae.portable.folder import FIXED, GOLDEN, Export

SIZE, CLIP = (64, 96), 4
CONFIG = replace(SMALL, places="scene")


@pytest.fixture(scope="module")
def model() -> Any:
    made: Any = shaken(CONFIG)
    marks = made.head.memory.trained  # half of its cells count as seen, so that their hashes matter
    marks.copy_(torch.randint(0, 4, marks.shape, generator=torch.Generator().manual_seed(1)) > 0)
    return made


# What converters are given


@pytest.mark.parametrize("most", [4, 300, 1 << 20, (1 << 31) - 1])
def test_hashes_in_bytes_are_the_hashes(most: int) -> None:
    draw = torch.Generator().manual_seed(most)
    area, x = (torch.randint(-most, most, (500, 1, n), generator=draw) for n in (1, 2))
    y = torch.randint(-40, 40, (500, 2, 1), generator=draw)
    for seed in _SEEDS:
        assert torch.equal(mixed_in_bytes(area, x, y, seed), mixed(area, x, y, seed) % (1 << 24))
    assert torch.equal(hashed_in_bytes(area, x, y), hashed(area, x, y) % (1 << 24))


def test_a_copy_for_phones_answers_the_same_and_leaves_the_model_alone(model: Any) -> None:
    clip = exporting.golden_clip(model, SIZE, CLIP, cubes=None)
    graph, copy = (ToHead(one, clip.state, False) for one in (model, for_phones(model)))
    feed = clip.feed()
    inputs = [torch.from_numpy(feed[name]) for name in input_names(graph)]
    with torch.no_grad():
        for mine, its in zip(copy(*inputs), graph(*inputs), strict=True):
            assert torch.equal(mine, its)
        model.head.memory.trained.zero_()
        assert not torch.equal(graph(*inputs)[0], copy(*inputs)[0])  # the marks do matter
    assert model.head.memory.trained.dtype == torch.uint8


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(6)), st.lists(st.sampled_from([1, 2, 3]), min_size=6, max_size=6))
def test_permutations_of_fewer_axes_are_the_same(order: list[int], shape: list[int]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape)
    runs = axis_runs(shape, order)
    flat = array.reshape([int(np.prod([shape[d] for d in run])) for run in sorted(runs)])
    turned = flat.transpose([sorted(runs).index(run) for run in runs]).reshape([shape[d] for d in order])
    assert np.array_equal(turned, array.transpose(order))


class Troublesome(nn.Module):
    """What LiteRT's converter refuses: an unsigned table, whole numbers joined with fractions, and many axes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("palette", torch.zeros(4, 3, dtype=torch.uint8))
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        at = torch.arange(2 * len(self.palette) // 4)[None, None, :].expand(2, 4, 2)
        joined = torch.cat([at, x.view(2, 4, 2) / self.weight], -1)
        return joined.view(1, 2, 1, 2, 2, 1, 2, 2, 1, 1).permute(0, 4, 3, 8, 1, 2, 6, 7, 5, 9)


def test_a_graph_of_fixed_sizes_is_made_simpler() -> None:
    x = torch.arange(16.0).reshape(4, 4)
    module = Troublesome()
    made = fixed(module, {"x": x})
    assert torch.equal(made(x), module(x))
    assert [name for name, _ in (*made.named_parameters(), *made.named_buffers()) if "palette" in name] == []
    named = [str(node.target) for node in made.graph.nodes if node.op == "call_function"]
    assert not any("arange" in name or "view" in name for name in named)
    axes = [len(node.args[1]) for node in made.graph.nodes if "permute" in str(node.target)]
    assert axes and max(axes) <= 6
    for node in made.graph.nodes:
        if "cat" in str(node.target):
            assert {one.meta["val"].dtype for one in node.args[0]} == {torch.float32}


def test_what_a_delegate_takes_is_what_lies_between_its_inputs_and_outputs() -> None:
    def one(name: str, inputs: list[int], outputs: list[int]) -> dict[str, Any]:
        return {"op_name": name, "inputs": np.array(inputs), "outputs": np.array(outputs)}

    own = [
        one("FULLY_CONNECTED", [0, 9], [1]), one("GELU", [1], [2]), one("GATHER", [2, 8], [3]),
        one("BATCH_MATMUL", [3, 2], [4]), one("FlexErf", [4], [5]), one("FULLY_CONNECTED", [5, 7], [6]),
    ]  # fmt: skip
    told = count([*own, one("DELEGATE", [0, 9], [2]), one("DELEGATE", [3, 2], [4])])
    assert told == {"operations": 6, "operations_delegated": 3, "heavy": 3, "delegated": 2, "custom": 1}


# Options and manifest, without the runtimes


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--to", "litert"], "HSTMAE_LITERT=DIR"),
        (["--to", "executorch"], "HSTMAE_EXECUTORCH=DIR"),
        (["--to", "executorch", "--int8"], "--int8 is of ONNX"),
        (["--to", "litert", "--whole"], "--whole is of ONNX"),
        (["--hide", "0.5"], "--hide is of files for phones"),
        (["--to", "litert", "--hide", "0.001"], "of 240 units"),
        (["--to", "tflite"], "invalid choice"),
    ],
)
def test_options_that_cannot_be(
    more: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for form, variable in libraries.VARIABLES.items():
        monkeypatch.delenv(variable, raising=False)
        for name in libraries._NEEDED[form]:
            monkeypatch.setitem(sys.modules, name, None)
    try:
        status = main(["export", "hst-mae-nano", "--out", str(tmp_path / "out"), *more])
    except SystemExit as end:
        status = int(str(end.code))
    assert status == 2 and told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for form, variable in libraries.VARIABLES.items():
        monkeypatch.setenv(variable, str(tmp_path / "absent"))
        with pytest.raises(ConfigError, match=r"no such folder.*pip install --no-deps --target DIR"):
            libraries.need(form)
        monkeypatch.setenv(variable, str(tmp_path))  # there, and empty
        monkeypatch.setattr(sys, "path", list(sys.path))
        for name in libraries._NEEDED[form]:
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ConfigError, match=f"is missing.*{variable}=DIR"):
            libraries.need(form)
    with pytest.raises(ConfigError, match="HSTMAE_EXECUTORCH"):
        write_executorch(nn.Identity(), {}, tmp_path / "a.pte")
    with pytest.raises(ConfigError, match="HSTMAE_LITERT"):
        write_litert(nn.Identity(), {}, [], tmp_path / "a.tflite")


@pytest.fixture
def standing(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Runtimes that carry out the module itself, with `off` added to what it answers."""
    held = SimpleNamespace(off=0.0, modules={})

    def write(module: nn.Module, inputs: dict[str, torch.Tensor], *rest: Any) -> dict[str, int]:
        rest[-1].write_bytes(b"graph of " + rest[-1].suffix.encode())
        held.modules[rest[-1].name] = (module, list(inputs))
        return {"heavy": 4, "delegated": 3}

    def opened(graph: dict[str, Any], folder: Path, threads: int = 1) -> Any:
        module, names = held.modules[graph["file"]]
        assert (folder / graph["file"]).is_file() and names == [one["name"] for one in graph["inputs"]]

        def run(_: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            with torch.no_grad():
                return [one.numpy() + held.off for one in module(*(torch.from_numpy(feed[n]) for n in names))]

        return SimpleNamespace(get_inputs=lambda: [SimpleNamespace(name=n) for n in names], run=run)

    monkeypatch.setattr(phones, "write_executorch", write)
    monkeypatch.setattr(phones, "write_litert", write)
    monkeypatch.setattr(phones, "fixed", lambda module, inputs: module)
    for place in (phones, exporting):
        monkeypatch.setattr(place, "open_phone", opened)
    monkeypatch.setattr(exporting, "need", lambda form: None)
    monkeypatch.setattr(exporting, "find_model", lambda name: tmp_path / "model")
    monkeypatch.setattr(exporting, "load_pretrained", lambda name: model)
    return held


def test_the_manifest_of_files_for_phones(standing: SimpleNamespace, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told: list[str] = []
    made = exporting.export(
        "small", out, size=SIZE, clip=CLIP, int8=False, whole=False, to=["executorch", "litert"], hidden=0.75,
        say=told.append,
    )  # fmt: skip
    export = Export(out)
    assert export.manifest["runtimes"] == ["executorch", "litert"]
    assert list(export.graphs) == ["network_executorch", "network_litert"]
    assert {graph["file"] for graph in export.graphs.values()} == {"network.pte", "network.tflite"}
    for file, digest in export.files.items():
        assert hashlib.sha256((out / file).read_bytes()).hexdigest() == digest
    for name, graph in export.graphs.items():
        shapes = {one["name"]: one["shape"] for one in (*graph["inputs"], *graph["outputs"])}
        assert shapes["visible"] == [6] and shapes["queries"] == [18 * 2] and shapes["frames"] == [CLIP, *SIZE]
        assert shapes["content"][0] == 36 and graph["delegated"] == 3 and graph["heavy"] == 4
        assert {one["type"] for one in graph["inputs"]} == {"int32", "float32"}
        assert made["errors"][name] == 0 and made["same"][name] == 1 and made["seconds"][name] >= 0
        assert any(line.startswith(name) and "3 of 4 products by XNNPACK" in line for line in told)
    with np.load(io.BytesIO(export.read(GOLDEN))) as saved:
        assert saved[f"{FIXED}.in.queries"].shape == (36,) and np.abs(saved[f"{FIXED}.content"]).max() > 0.1


@pytest.mark.parametrize("off", [3e-4, float("nan")])
def test_a_graph_that_answers_otherwise_is_refused(standing: SimpleNamespace, tmp_path: Path, off: float) -> None:
    standing.off = off
    with pytest.raises(ConfigError, match="network_litert answers otherwise than the model"):
        exporting.export(
            "small", tmp_path / "out", size=SIZE, clip=CLIP, int8=False, whole=False, to=["litert"],
            say=lambda text: None,
        )  # fmt: skip


# In their own runtimes


@pytest.mark.slow
@pytest.mark.parametrize("form", libraries.PHONES)
def test_in_its_own_runtime(form: str, model: Any, root: Path, tmp_path: Path) -> None:
    """The command itself, in a process of its own: golden outputs, entries, and what XNNPACK carries out."""
    variable = libraries.VARIABLES[form]
    if not os.environ.get(variable):
        pytest.skip(f"{form} is heavy and lies in a folder of its own (docs/mobile.md): {variable}=DIR")
    model.save_pretrained(tmp_path / "small")
    line = ["export", str(tmp_path / "small"), "--out", str(tmp_path / "out"), "--to", form, "--size", "96x64"]
    done = subprocess.run(
        [sys.executable, "-m", "hstmae", *line, "--clip", str(CLIP), "--json", str(tmp_path / "told.json")], cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told, (name, graph) = json.loads((tmp_path / "told.json").read_text()), *Export(tmp_path / "out").graphs.items()
    assert told["errors"][name] < 1e-4 and told["same"][name] >= 0.9999
    left = graph["heavy"] - graph["delegated"]
    assert left <= 11 < 60 < graph["heavy"]  # as many as the place memory's hashes have, each by a table of eight bytes
    if form == libraries.LITERT:
        assert graph["custom"] == 0 and graph["operations_delegated"] >= 0.5 * graph["operations"]
