"""LPIPS and FID by weights that the user has placed; here they are drawn at random."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hstmae.errors import DataError, UsageError
from hstmae.evaluation import perceptual
from hstmae.evaluation.baselines import FillerSums
from hstmae.evaluation.evaluate import ClipFigures
from hstmae.evaluation.inception import Inception, _resized, fid
from hstmae.evaluation.metrics import MetricSums, perceptual_fields
from hstmae.evaluation.perceptual import ALEXNET, FILES, INCEPTION, LINEAR, check_weights, load_networks, perceive

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


THEIR_FEATURES = """
import sys
import numpy as np, torch
torch.library.register_fake = lambda *a, **k: lambda f: f  # operators of torchvision are not needed
from torch_fidelity import feature_extractor_inceptionv3 as theirs
weights, pictures, out = sys.argv[1:]
theirs.load_state_dict_from_url = lambda *a, **k: {}
load, theirs.FeatureExtractorInceptionV3.load_state_dict = None, lambda self, state: None
model = theirs.FeatureExtractorInceptionV3("inception", ["2048"])
torch.manual_seed(0)
for part in model.modules():
    if isinstance(part, torch.nn.Conv2d):
        torch.nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
    elif isinstance(part, torch.nn.BatchNorm2d):
        part.running_mean.normal_(0, 0.1); part.running_var.uniform_(0.5, 1.5)
        part.weight.data.uniform_(0.5, 1.5); part.bias.data.normal_(0, 0.1)
model.eval()
torch.save(model.state_dict(), weights)
with torch.no_grad():
    one, other = (model(torch.from_numpy(np.load(pictures)[k]).permute(0, 3, 1, 2))[0].numpy() for k in ("a", "b"))
def moments(f):
    return {"mu": f.mean(0), "sigma": np.cov(f, rowvar=False)}
from torch_fidelity.metric_fid import fid_statistics_to_metric
few = [f[:, :64].astype(np.float64) for f in (np.tile(one, (30, 1)), np.tile(other, (40, 1)))]
few = [f + np.random.default_rng(k).normal(0, 1, f.shape) for k, f in enumerate(few)]
value = fid_statistics_to_metric(*map(moments, few), verbose=False)
np.savez(out, one=one, other=other, few_a=few[0], few_b=few[1], fid=list(value.values())[0])
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
    for name in (ALEXNET, LINEAR):
        start = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        monkeypatch.setitem(FILES, name, (start, FILES[name][1]))
    load_networks.cache_clear()
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


@pytest.mark.parametrize("names", [(ALEXNET, LINEAR), (INCEPTION,)])
def test_files_that_hold_something_else_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    load_networks.cache_clear()
    for content in (b"no weights", b""):
        for name in names:
            (tmp_path / name).write_bytes(content)
            monkeypatch.setitem(FILES, name, ("", ""))
        with pytest.raises(DataError, match="cannot be read"):
            load_networks(str(tmp_path))


def test_only_what_was_hidden_counts(known: Path) -> None:
    (model, nothing), (one, other) = load_networks(str(known)), pictures()
    assert model is not None and nothing is None
    values = model(torch.from_numpy(one), torch.from_numpy(other)).tolist()
    assert values[2] == 0.0 and min(values[:2]) > 0.01
    hidden = np.zeros(one.shape[:3], bool)
    hidden[0] = True
    seen = perceive(str(known), one, other, hidden)
    assert seen.frames == 1 and seen.lpips == pytest.approx(values[0], rel=1e-5) and seen.features is None
    seen = perceive(str(known), one, other, ~hidden & False)
    assert (seen.lpips, seen.frames, seen.features) == (0.0, 0, None)
    fields = perceptual_fields(MetricSums(lpips=3.0, lpips_frames=2))
    assert fields["lpips"] == 1.5 and fields["lpips_reason"] is None and fields["fid"] is None


def test_fid_is_the_distance_of_two_normal_distributions() -> None:
    draw = np.random.default_rng(0)
    one, other = draw.normal(0, 1, (400, 6)), draw.normal(0.5, 2, (300, 6)) @ draw.normal(0, 1, (6, 6))
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = np.sqrt(np.linalg.eigvals(a @ b).astype(complex)).real.sum()
    wanted = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * root
    assert fid(one, other) == pytest.approx(wanted, rel=1e-9)
    assert fid(one[:4], one[:4]) == pytest.approx(0, abs=1e-9) and fid(one[:4], other[:5]) > 0  # fewer than features
    ramp = torch.arange(299.0).expand(1, 1, 299, 299)
    assert torch.equal(_resized(ramp), ramp)


def test_features_of_a_clip_survive_json() -> None:
    features = np.random.default_rng(0).normal(0, 1, (2, 3, 2048)).astype(np.float32)
    figures = ClipFigures(1, MetricSums(), FillerSums({}, 0), (features[0], features[1]))
    again = ClipFigures.from_json(json.loads(json.dumps(figures.to_json())))
    assert again.features is not None and all(map(np.array_equal, again.features, features))
    old = {name: value for name, value in figures.to_json().items() if name != "features"}
    assert ClipFigures.from_json(old).features is None


def test_features_are_those_of_the_reference(tmp_path: Path) -> None:
    python = os.environ.get("HSTMAE_LPIPS_PYTHON")
    if python is None:
        pytest.importorskip("torch_fidelity", reason="not here; HSTMAE_LPIPS_PYTHON names an environment")
        python = sys.executable
    one, other = pictures()
    np.savez(tmp_path / "p.npz", a=one, b=other)
    command = [python, "-c", THEIR_FEATURES, tmp_path / INCEPTION, tmp_path / "p.npz", tmp_path / "f.npz"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(tmp_path / "f.npz") as theirs:
        model = Inception(torch.load(tmp_path / INCEPTION, weights_only=True))
        for name, those in (("one", one), ("other", other)):
            np.testing.assert_allclose(
                model.features(torch.from_numpy(those)).numpy(), theirs[name], rtol=1e-3, atol=1e-4
            )
        assert fid(theirs["few_a"], theirs["few_b"]) == pytest.approx(float(theirs["fid"]), rel=1e-6)


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
    model, _ = load_networks(str(known))
    assert model is not None
    ours = model(torch.from_numpy(one), torch.from_numpy(other)).tolist()
    assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-6)
