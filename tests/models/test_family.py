"""The variants: sizes, costs, normalised attention, and models fetched from a hub."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from hstmae.bundled import CONFIGS
from hstmae.cli import main
from hstmae.config import load_config
from hstmae.errors import CheckpointError, ConfigError
from hstmae.models import HSTMAE, VARIANTS, build_model, load_pretrained, save_pretrained
from hstmae.models.cost import model_cost
from hstmae.models.inputs import MaskedClips
from hstmae.models.masking import tube_visible


@pytest.mark.parametrize(("name", "encoder", "decoder"), [("base", 120e6, 60e6), ("large", 350e6, 100e6)])
def test_parameters_are_as_specified(name: str, encoder: float, decoder: float) -> None:
    params = model_cost(VARIANTS[f"hst-mae-{name}"], (224, 224), 16, modes=())["params"]
    assert params["encoder"] == pytest.approx(encoder, rel=0.03)
    assert params["decoder"] == pytest.approx(decoder, rel=0.03)
    assert params["total"] == sum(params[k] for k in ("encoder", "decoder", "state", "tables"))


def test_shipped_configurations_are_the_variants() -> None:
    for name, variant in VARIANTS.items():
        assert load_config(CONFIGS / f"{name[4:].replace('-', '_')}.yaml").model == variant


def test_cost_of_a_layer_by_hand() -> None:
    """One decoder block more costs what its matrices and its attention say."""
    visible, hidden, dim = 20 * 2, 176 * 2, 128
    thin, thick = (
        model_cost(replace(VARIANTS["hst-mae-nano"], decoder_depth=d), (224, 224), 4, ("restore_90",)) for d in (1, 2)
    )
    rows, keys = 1 + visible + hidden, 1 + visible
    products = rows * (2 + 8) * dim**2 + keys * 2 * dim**2  # q, proj, MLP; k and v of what is visible
    attention = 2 * rows * keys * dim
    for key, macs in (("gmac_per_frame", products + attention), ("gmac_per_frame_linear", products)):
        assert thick[key]["restore_90"] - thin[key]["restore_90"] == pytest.approx(macs / 4 / 1e9, rel=1e-6)
    assert thick["activation_mb"]["restore_90"] > thin["activation_mb"]["restore_90"] + rows * dim * 4 / 1e6


def test_command_writes_every_mode_and_the_growth(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As JSON that is all there is on stdout; the tables go to stderr then. Of few layers, which are counted fast."""
    flat = replace(VARIANTS["hst-mae-nano"], depths=(1, 1, 1, 1), decoder_depth=1)
    monkeypatch.setitem(VARIANTS, "hst-mae-nano", flat)
    assert main(["models", "--variant", "nano", "--size", "64x64", "64x96", "--clip", "2", "--json", "-"]) == 0
    shown = capsys.readouterr()
    data = json.loads(shown.out)
    row = data["models"]["hst-mae-nano"]
    modes = {"pretrain", "restore_90", "restore_95", "dense"}
    for kind in ("gmac_per_frame", "gmac_per_frame_linear", "activation_mb"):
        assert set(row[kind]) == modes and min(row[kind].values()) > 0
    assert row["gmac_per_frame"]["pretrain"] < row["gmac_per_frame"]["restore_90"] < row["gmac_per_frame"]["dense"]
    assert all(row["gmac_per_frame_linear"][m] < row["gmac_per_frame"][m] for m in modes)
    later = data["settings"][1]
    assert later["size"] == [96, 64] and set(later["models"]["hst-mae-nano"]["growth"]) == modes
    assert "million parameters" in shown.err and "hst-mae-nano" in shown.err


@pytest.mark.parametrize("wrong", [["--size", "250x240"], ["--size", "big"], ["--clip", "3"], ["--variant", "huge"]])
def test_command_refuses_what_cannot_be_counted(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", *wrong]) == 2
    assert wrong[0] in capsys.readouterr().err


def test_normalised_attention_keeps_its_logits_bounded() -> None:
    """Queries and keys blown up change nothing with the norm, and everything without it."""
    torch.manual_seed(0)
    frames = torch.randint(0, 64, (1, 2, 64, 96), dtype=torch.uint8)
    visible = tube_visible(1, 24, 0.5, torch.Generator().manual_seed(0))
    moved = {}
    for norm in (False, True):
        model = build_model("hst-mae-nano", qk_norm=norm).eval()
        with torch.no_grad():
            before = model(MaskedClips(frames, visible))
            for block in model.decoder.blocks:
                block.q.weight *= 1000
                block.q.bias *= 1000
            moved[norm] = (model(MaskedClips(frames, visible)) - before).abs().max().item()
        assert norm == any(".q_norm." in name for name in model.state_dict())
    assert moved[True] < 1e-3 < 1e-2 < moved[False]


def test_hub_ids_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model("hst-mae-nano", depths=(1, 1, 1, 1), decoder_depth=1)
    model.save_pretrained(tmp_path / "snapshot")
    asked = []

    def snapshot_download(name: str, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((name, sorted(allow_patterns)))
        if name == "someone/broken":
            raise OSError("no network")
        return str(tmp_path / "snapshot")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    again = HSTMAE.from_pretrained("someone/model")
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in again.state_dict().items())
    assert asked == [("someone/model", ["atlas.npz", "config.json", "model.safetensors"])]
    with pytest.raises(CheckpointError, match=r"someone/broken.*no network"):
        load_pretrained("someone/broken")
    with pytest.raises(CheckpointError, match="no model"):  # not a hub id: nothing is fetched
        load_pretrained("a/b/c")
    assert len(asked) == 2
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(CheckpointError, match=r"pip install 'hstmae\[hub\]'"):
        load_pretrained("someone/model")


def test_a_mismatch_names_the_keys(tmp_path: Path) -> None:
    model = build_model("hst-mae-nano", depths=(1, 1, 1, 1), decoder_depth=1)
    save_pretrained(model.state_dict(), model.config, tmp_path, torch.float32)
    weights = load_file(tmp_path / "model.safetensors")
    weights["decoder.sink"] = torch.zeros(3)
    weights["surplus.weight"] = weights.pop("decoder.mask_token")
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError) as caught:
        load_pretrained(tmp_path)
    text = str(caught.value)
    assert "1 missing: decoder.mask_token" in text and "1 unexpected: surplus.weight" in text
    assert "decoder.sink [3] instead of [128]" in text


@pytest.mark.parametrize(
    "key, value",
    [("temporal_windows", (2, 0, 8, 8)), ("mlp_ratio", 0.0), ("drop_path", 1.5), ("colour_dim", 0),
     ("state_dim", 0), ("texture_dim", -1), ("pixel_dim", 0), ("code_dim", 0), ("depths", (2, 2, 0, 1))],
)  # fmt: skip
def test_sizes_that_make_no_model_are_refused(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"model.{key}"):
        build_model("hst-mae-nano", **{key: value})
