"""LPIPS by weights that the user has placed; here they are drawn at random."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hstmae.errors import DataError, UsageError
from hstmae.evaluation import perceptual
from hstmae.evaluation.metrics import MetricSums, perceptual_fields
from hstmae.evaluation.perceptual import ALEXNET, FILES, LINEAR, check_weights, load_lpips

THEIRS = """
import sys
import numpy as np, torch
torch.library.register_fake = lambda *a, **k: lambda f: f  # operators of torchvision are not needed
import lpips
alexnet, linear, pictures = sys.argv[1:]
model = lpips.LPIPS(net="alex", pretrained=False, pnet_rand=True, verbose=False)
kept = torch.load(alexnet)
own = [layer for part in (model.net.slice1, model.net.slice2, model.net.slice3, model.net.slice4, model.net.slice5)
       for layer in part if isinstance(layer, torch.nn.Conv2d)]
for number, layer in zip((0, 3, 6, 8, 10), own, strict=True):
    layer.load_state_dict({name: kept[f"features.{number}.{name}"] for name in ("weight", "bias")})
model.load_state_dict(torch.load(linear), strict=False)
one, other = (torch.from_numpy(np.load(pictures)[k]).permute(0, 3, 1, 2).float() / 127.5 - 1 for k in ("a", "b"))
print(*model(one, other).flatten().tolist())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place, draw = tmp_path_factory.mktemp("weights"), torch.Generator().manual_seed(0)
    alexnet = {}
    for number, a, b, side, _, _ in perceptual._LAYERS:
        alexnet[f"features.{number}.weight"] = torch.randn(b, a, side, side, generator=draw) / (a * side * side) ** 0.5
        alexnet[f"features.{number}.bias"] = torch.randn(b, generator=draw) / 10
    linear = {f"lin{k}.model.1.weight": torch.rand(1, layer[2], 1, 1, generator=draw) for k, layer in
              enumerate(perceptual._LAYERS)}  # fmt: skip
    torch.save(alexnet, place / ALEXNET)
    torch.save(linear, place / LINEAR)
    return place


@pytest.fixture
def known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights are taken for the published ones."""
    for name in FILES:
        start = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        monkeypatch.setitem(FILES, name, (start, FILES[name][1]))
    load_lpips.cache_clear()
    return folder


def pictures() -> tuple[np.ndarray, np.ndarray]:
    one, other = np.random.default_rng(0).integers(0, 256, (2, 3, 64, 96, 3), np.uint8)
    other[2] = one[2]
    return one, other


def test_other_weights_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"alexnet.*not 7be5be79.*download.pytorch.org"):
        check_weights(folder)
    with pytest.raises(UsageError, match=r"alexnet.*is not there"):
        check_weights(tmp_path)


def test_files_that_hold_something_else_are_told(known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes(b"no weights")
        monkeypatch.setitem(FILES, name, ("", ""))
    with pytest.raises((DataError, UsageError), match="cannot be read"):
        load_lpips(str(tmp_path))


def test_only_what_was_hidden_counts(known: Path) -> None:
    model, (one, other) = load_lpips(str(known)), pictures()
    values = model(torch.from_numpy(one), torch.from_numpy(other)).tolist()
    assert values[2] == 0.0 and min(values[:2]) > 0.01
    hidden = np.zeros(one.shape[:3], bool)
    hidden[0] = True
    total, frames = model.sum(one, other, hidden)
    assert frames == 1 and total == pytest.approx(values[0], rel=1e-5)
    assert model.sum(one, other, ~hidden & False) == (0.0, 0)
    fields = perceptual_fields(MetricSums(lpips=total, lpips_frames=frames))
    assert fields["lpips"] == total and fields["lpips_reason"] is None and fields["fid"] is None


def test_it_is_what_the_authors_program_gives(known: Path, tmp_path: Path) -> None:
    python = os.environ.get("HSTMAE_LPIPS_PYTHON")
    if python is None:
        pytest.importorskip(
            "lpips", reason="lpips is not here; HSTMAE_LPIPS_PYTHON=/path/to/python names an environment"
        )
        python = sys.executable
    one, other = pictures()
    np.savez(tmp_path / "p.npz", a=one, b=other)
    command = [python, "-c", THEIRS, known / ALEXNET, known / LINEAR, tmp_path / "p.npz"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = [float(word) for word in done.stdout.split()]
    ours = load_lpips(str(known))(torch.from_numpy(one), torch.from_numpy(other)).tolist()
    assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-6)
