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
from ..bundled import SAMPLES
from ..config import to_dict
from ..errors import ConfigError
from ..games import GameState
from ..model_folders import ATLAS, CONFIG, MANIFEST, find_model
from ..models.heads import PaletteHead
from ..models.mae import HSTMAE
from ..models.masking import hidden_cubes, tube_visible
from ..models.zoo import load_pretrained
from ..portable.folder import BLIND, FORMAT, GOLDEN, HEAD, NETWORK, WHOLE
from ..portable.network import blank_state, feed_of, open_session, run_session
from .graphs import Graph, ToHead, Whole
from .onnx import OPSET, described, write_int8, write_onnx

TOLERANCE = 1e-4  # of golden outputs, float32
ALIKE = 0.999  # share of golden pixels (of an int8 graph) whose largest logit is the same
GOLDEN_CUBES = 64
OUTPUTS = {ToHead: ["content", "cube", "film"], Whole: ["logits"]}


def export(
    name: str | Path, out: Path, *, size: tuple[int, int], clip: int, int8: bool, whole: bool,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:  # fmt: skip
    """Write an export of a model that restores.

    The number of visible units and of wanted cubes is free, clip length and size are not. Written are: the network up
    to its head (and, with `int8`, the same with 8-bit weights), the same for clips of which nothing is visible, with
    `whole` the network with its head, the head's weights for `_head.c`, the model's atlas, and `GOLDEN`.

    Args:
        size: height and width, multiples of 16.
    Returns:
        The manifest, with `errors`: of each graph in ONNX Runtime, the largest difference of a golden output.
    Raises:
        CheckpointError: no such model. ConfigError: a model of another kind, packages that are missing, or a graph
            that does not answer as the model does.
    """
    source = find_model(name)
    model = load_pretrained(source)
    if not isinstance(model.head, PaletteHead) or not model.game.tile_layers or not model.game.state_size:
        raise ConfigError(f"{name}: only models of games with a palette and a state can be exported")
    out.mkdir(parents=True, exist_ok=True)
    state = blank_state(model.game, clip)
    golden = golden_input(model, size, clip)
    saved: dict[str, np.ndarray] = {f"in.{k}": v for k, v in golden.items()}
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
    write_bytes(out / HEAD, _npz(head_weights(model)))
    write_bytes(out / GOLDEN, _npz(saved))
    files = [HEAD, GOLDEN, *(g["file"] for g in graphs.values())]
    if (source / ATLAS).is_file():
        write_bytes(out / ATLAS, (source / ATLAS).read_bytes())
        files.append(ATLAS)
    manifest = {
        "format": FORMAT,
        "model": model.config.name,
        "runtime": "onnx",
        "opset": OPSET,
        "clip": clip,
        "size": list(size),
        "cell": model.head.cell,
        "side": model.head.side,
        "config": to_dict(model.config),
        "graphs": graphs,
        "files": {f: hashlib.sha256((out / f).read_bytes()).hexdigest() for f in files},
        "bytes": {f: (out / f).stat().st_size for f in files},
        "versions": {"python": platform.python_version(), **_versions("torch", "onnx", "onnxscript", "onnxruntime")},
    }
    write_text(out / CONFIG, json.dumps(manifest["config"], indent=2) + "\n")
    write_text(out / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    errors = check_golden(out)
    for graph, error in errors.items():
        say(f"{graph}: golden output off by at most {error:.2g}")
        if not graph.endswith("_int8") and error > TOLERANCE:
            raise ConfigError(f"{name}: graph {graph} answers otherwise than the model, by {error:.2g}")
    return {**manifest, "errors": errors}


VARYING: dict[str, tuple[int, ...]] = {
    **{"visible": (0,), "queries": (0,)},
    **{name: axes for i in range(6) for name, axes in ((f"slots{i}", (0, 1)), (f"places{i}", (0,)))},
}


def input_names(module: Graph) -> list[str]:
    """The inputs of a graph, in the order of its arguments."""
    plans = [f"{name}{i}" for i in range(6) for name in ("slots", "places")] if module.planned else []
    return ["frames", "visible", "queries", "level", "origin", *module.names, *plans]


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
    """By how much each graph differs from its golden output, at most, in ONNX Runtime."""
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    errors = {}
    with np.load(io.BytesIO((folder / GOLDEN).read_bytes())) as saved:
        feed = {k.removeprefix("in."): saved[k] for k in saved.files if k.startswith("in.")}
        for name in graphs or manifest["graphs"]:
            one = manifest["graphs"][name]
            given = feed | {"visible": feed["visible"][:0]} if name == BLIND else feed
            made = run_session(open_session((folder / one["file"]).read_bytes(), 1), given)
            truth = [saved[f"{one['golden']}.{o['name']}"] for o in one["outputs"]]
            errors[name] = max(float(np.abs(a - b).max(initial=0)) for a, b in zip(made, truth, strict=True))
    return errors


def golden_input(model: HSTMAE, size: tuple[int, int], clip: int) -> dict[str, np.ndarray]:
    """A clip of the bundled sample session where it is of the model's game, else of noise: tubes at 90 %."""
    generator = torch.Generator().manual_seed(0)
    units, slices = size[0] // 16 * (size[1] // 16), clip // 2
    visible = tube_visible(1, units, 0.9, generator)
    hidden = hidden_cubes(visible, units, slices)[0]
    queries = hidden[torch.randperm(len(hidden), generator=generator)[:GOLDEN_CUBES].sort().values]
    frames = torch.randint(0, len(model.palette), (clip, *size), generator=generator, dtype=torch.uint8).numpy()
    state = blank_state(model.game, clip)
    footage = sample(model.game.name, clip)
    if footage is not None and footage[0].shape[1] >= size[0] and footage[0].shape[2] >= size[1]:
        frames, state = footage[0][:, : size[0], : size[1]], footage[1]
    return feed_of(frames, visible[0].numpy(), queries.numpy(), state, 2, (0, 0))


def sample(game: str, clip: int) -> tuple[np.ndarray, GameState] | None:
    """The first frames of the bundled session and their state, where it is of this game."""
    if game != "smb":
        return None
    import tempfile

    from ..data.store.preprocessing import preprocess
    from ..data.store.reader import EpisodeStore
    from ..games import get_game

    with tempfile.TemporaryDirectory(prefix="hstmae-") as folder:
        preprocess(SAMPLES / "sample_session", Path(folder) / "store", workers=1, val_fraction=0)
        episode = EpisodeStore(Path(folder) / "store")[0]
        if len(episode.frames) < clip or episode.state is None:
            return None
        return episode.frames[:clip].copy(), get_game(game).decode(episode.state, episode.context).map(
            lambda a: a[:clip]
        )


def _inputs_of(path: Path) -> set[str]:
    """What a graph takes: inputs that nothing depends on are left out by the exporter."""
    return {one.name for one in open_session(path.read_bytes()).get_inputs()}


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _versions(*names: str) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found
