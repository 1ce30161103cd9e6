"""`export`: a model as a folder of graphs with a manifest, golden inputs and outputs, and hashes."""

from __future__ import annotations

import hashlib
import io
import json
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..atomic import write_bytes, write_text
from ..config import to_dict
from ..errors import ConfigError
from ..model_folders import ATLAS, CONFIG, MANIFEST, find_model
from ..models.heads import PaletteHead
from ..models.mae import HSTMAE
from ..models.zoo import load_pretrained
from ..portable.folder import BLIND, FORMAT, GOLDEN, HEAD, NETWORK, WHOLE, Export
from ..portable.network import FULL, Network, blank_state, open_session, run_session
from .golden import HIDDEN, GoldenClip, golden_clip, golden_input
from .graphs import Graph, ToHead, Whole, input_names
from .libraries import ONNX, PHONES, need
from .onnx import OPSET, described, write_int8, write_onnx
from .phones import TOLERANCE, difference, open_phone, write_phones

SAME = 0.9999  # of the golden clip's pixels, by a graph for phones
OUTPUTS = {ToHead: ["content", "cube", "film"], Whole: ["logits"]}


def export(
    name: str | Path, out: Path, *, size: tuple[int, int], clip: int, int8: bool, whole: bool,
    to: Sequence[str] = (ONNX,), hidden: float = HIDDEN, say: Callable[[str], None] = print,
) -> dict[str, Any]:  # fmt: skip
    """Write an export of a model that restores.

    Clip length and size are those given. As ONNX the number of visible units and of wanted cubes is free. Written are:
    the network up to its head (and, with `int8`, the same with 8-bit weights), the same for clips of which nothing is
    visible, with `whole` the network with its head. For phones the network up to its head is written, with every size
    fixed. Beside them lie the head's weights for `_head.c`, the model's atlas, and `GOLDEN`.

    Args:
        size: height and width, multiples of 16.
        to: one or more of `libraries.FORMATS`.
        hidden: for phones, the share of the units that is hidden.
    Returns:
        The manifest, with `errors`: of each graph in its runtime, the largest difference of a golden output; and of
        graphs for phones `same`, the share of the golden clip's hidden pixels that get the same entry, and `seconds`,
        what the conversion took of a CPU.
    Raises:
        CheckpointError: no such model. ConfigError: a model of another kind, packages that are missing, a graph that is
            refused by a converter or that does not answer as the model does.
    """
    for form in to:
        need(form)
    source = find_model(name)
    model = load_pretrained(source)
    if not isinstance(model.head, PaletteHead) or not model.game.tile_layers or not model.game.state_size:
        raise ConfigError(f"{name}: only models of games with a palette and a state can be exported")
    out.mkdir(parents=True, exist_ok=True)
    graphs: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    golden = golden_input(model, size, clip)
    saved: dict[str, np.ndarray] = {f"in.{k}": v for k, v in golden.items()}
    if ONNX in to:
        graphs, arrays = _write_graphs(model, golden, clip, out, int8=int8, whole=whole, say=say)
        saved |= arrays
    if phones := [form for form in to if form in PHONES]:
        wanted = golden_clip(model, size, clip, hidden=hidden, cubes=None)
        made, arrays, seconds = write_phones(model, wanted, phones, out, say)
        graphs, saved = graphs | made, saved | arrays
    write_bytes(out / HEAD, _npz(head_weights(model)))
    write_bytes(out / GOLDEN, _npz(saved))
    files = [HEAD, GOLDEN, *(g["file"] for g in graphs.values())]
    if (source / ATLAS).is_file():
        write_bytes(out / ATLAS, (source / ATLAS).read_bytes())
        files.append(ATLAS)
    manifest = {
        "format": FORMAT,
        "model": model.config.name,
        "runtimes": list(to),
        "opset": OPSET if ONNX in to else None,
        "clip": clip,
        "size": list(size),
        "cell": model.head.cell,
        "side": model.head.side,
        "config": to_dict(model.config),
        "graphs": graphs,
        "files": {f: hashlib.sha256((out / f).read_bytes()).hexdigest() for f in files},
        "bytes": {f: (out / f).stat().st_size for f in files},
        "versions": {"python": platform.python_version(), **_versions(*_PACKAGES)},
    }
    write_text(out / CONFIG, json.dumps(manifest["config"], indent=2) + "\n")
    write_text(out / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    errors = check_golden(out)
    for graph, error in errors.items():
        say(f"{graph}: golden output off by at most {error:.2g}")
        if not graph.endswith("_int8") and not error <= TOLERANCE:
            raise ConfigError(f"{name}: graph {graph} answers otherwise than the model, by {error:.2g}")
    same = {graph: same_entries(out, graph, model, wanted) for graph in seconds}
    for graph, share in same.items():
        say(f"{graph}: {share:.4%} of the golden clip's hidden pixels as the model draws them")
        if share < SAME:
            raise ConfigError(
                f"{name}: graph {graph} draws otherwise than the model: {share:.4%} of pixels are the same"
            )
    return {**manifest, "errors": errors, "same": same, "seconds": seconds}


def _write_graphs(
    model: HSTMAE, golden: dict[str, np.ndarray], clip: int, out: Path, *, int8: bool, whole: bool,
    say: Callable[[str], None],
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:  # fmt: skip
    """Write the graphs of ONNX Runtime: their entries of the manifest by name, and their golden outputs."""
    state = blank_state(model.game, clip)
    saved: dict[str, np.ndarray] = {}
    graphs: dict[str, Any] = {}
    wanted: list[tuple[str, Graph]] = [(NETWORK, ToHead(model, state, True)), (BLIND, ToHead(model, state, False))]
    wanted += [(WHOLE, Whole(model, state, True))] if whole else []
    for graph, module in wanted:
        say(f"exporting {graph}: this takes a minute or more")
        feed = golden | {"visible": golden["visible"][:0]} if graph == BLIND else golden
        inputs = {n: feed[n] for n in input_names(module)}
        varying: dict[str, tuple[int, ...]] = {
            n: axes for n, axes in VARYING.items() if n in inputs and not (graph == BLIND and n == "visible")
        }
        names, file = OUTPUTS[type(module)], f"{graph}.onnx"
        write_onnx(module, {k: torch.from_numpy(v) for k, v in inputs.items()}, names, varying, out / file)
        with torch.no_grad():
            answers = module(*(torch.from_numpy(v) for v in inputs.values()))
        answers = (answers,) if isinstance(answers, Tensor) else answers
        outputs = dict(zip(names, (a.numpy() for a in answers), strict=True))
        saved |= {f"{graph}.{k}": v for k, v in outputs.items()}
        given = {k: v for k, v in inputs.items() if k in _inputs_of(out / file)}
        graphs[graph] = {
            "file": file,
            "inputs": described(given, varying),
            "outputs": described(outputs, {n: (0,) for n in ("content", "cube", "logits")}),
            "golden": graph,
        }
        if int8 and graph != BLIND:
            write_int8(out / file, out / f"{graph}_int8.onnx")
            graphs[f"{graph}_int8"] = {**graphs[graph], "file": f"{graph}_int8.onnx"}
    return graphs, saved


VARYING: dict[str, tuple[int, ...]] = {
    **{"visible": (0,), "queries": (0,)},
    **{name: axes for i in range(6) for name, axes in ((f"slots{i}", (0, 1)), (f"places{i}", (0,)))},
}


def head_weights(model: HSTMAE) -> dict[str, np.ndarray]:
    """What `portable.network.Network` draws with: float16, but for the two last layers."""
    found = {}
    for name, tensor in model.state_dict().items():
        short = name.removesuffix(".weight")
        if name.startswith("canvas.") or short in ("head.cell_basis", "head.cube_basis"):
            found[short] = tensor.half().numpy()
        elif short.startswith(("head.hidden", "head.colours")):
            found[short] = tensor.float().numpy()
    return found


def check_golden(folder: Path, graphs: Sequence[str] = ()) -> dict[str, float]:
    """By how much each graph differs from its golden output, at most, in its own runtime.

    Raises:
        ConfigError: one of the runtimes is not installed.
    """
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    errors = {}
    with np.load(io.BytesIO((folder / GOLDEN).read_bytes())) as saved:
        for name in graphs or manifest["graphs"]:
            one = manifest["graphs"][name]
            feed = _given(saved, f"{one['golden']}.in.")
            if name == BLIND:
                feed["visible"] = feed["visible"][:0]
            phone = one.get("runtime", ONNX) != ONNX
            session = open_phone(one, folder) if phone else open_session((folder / one["file"]).read_bytes(), 1)
            truth = [saved[f"{one['golden']}.{o['name']}"] for o in one["outputs"]]
            errors[name] = difference(run_session(session, feed), truth)
    return errors


def same_entries(folder: Path, name: str, model: HSTMAE, clip: GoldenClip) -> float:
    """The share of a golden clip's hidden pixels for which a graph for phones leads to the entry that the model has."""

    class Known:
        """What the model itself answers, as a session."""

        def get_inputs(self) -> list[Any]:
            return []

        def run(self, _: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            return truth

    export = Export(folder)
    one = export.graphs[name]
    with np.load(io.BytesIO(export.read(GOLDEN))) as saved:
        truth = [saved[f"{one['golden']}.{o['name']}"] for o in one["outputs"]]
    mine, its = (
        Network(export, model.game, name, session=session)
        .draw(clip.frames, clip.visible, clip.queries, clip.state, FULL, (0, 0), model.game.palette)
        .entry
        for session in (open_phone(one, folder), Known())
    )
    return float((mine == its).mean())


def _given(saved: Any, own: str) -> dict[str, np.ndarray]:
    """Golden inputs by name: those of all graphs, or a graph's own where it has some."""
    return {
        k.removeprefix(start): saved[k] for start in ("in.", own) for k in saved.files if k.startswith(start)
    }  # fmt: skip


def _inputs_of(path: Path) -> set[str]:
    """What a graph takes: inputs that nothing depends on are left out by the exporter."""
    return {one.name for one in open_session(path.read_bytes()).get_inputs()}


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "executorch", "litert-torch", "ai-edge-litert")


def _versions(*names: str) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found
