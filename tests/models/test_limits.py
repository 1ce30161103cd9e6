"""Configurations and weights that no model can be made of: refused by name, at once, before anything is allocated."""

from __future__ import annotations

import json
import math
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import hstmae
from hstmae.bundled import CHECKPOINTS
from hstmae.codec.neural.model import CodecConfig, CodecModel
from hstmae.codec.neural.weights import load_codec
from hstmae.config import ModelConfig, RunConfig, from_dict, to_dict
from hstmae.errors import CheckpointError, ConfigError, GameError, HstError
from hstmae.limits import CUBE, MODEL, check_model, check_run, least_parameters
from hstmae.models import VARIANTS, build_model, cubes
from hstmae.models.checkpoint import load_checkpoint, save_checkpoint
from hstmae.training.codec.config import CodecRun
from hstmae.training.codec.trainer import CodecTrainer

TINY = ModelConfig(
    dims=(16, 16, 16, 16), depths=(1, 1, 1, 1), head_dim=16, decoder_dim=16, decoder_depth=1, decoder_head_dim=16
)
ABSURD = (-1, 0, 10**7, 10**12, 10**400, -(10**30))
WRONG = (None, "many", "1e3", True, 1.5, math.nan, math.inf, [], {}, [[1]])
QUICK = 2.0  # seconds, on a busy machine; making what is asked for would take hours


def numbers_of(config: Any) -> list[str]:
    """Names of the fields that hold whole numbers, or lists of them."""
    return [f.name for f in fields(config) if type(getattr(config, f.name)) is int or _counts(getattr(config, f.name))]


def _counts(value: object) -> bool:
    return isinstance(value, tuple) and value != () and all(type(item) is int for item in value)


def with_number(config: Any, name: str, number: int) -> Any:
    value = getattr(config, name)
    return replace(config, **{name: (*value[:-1], number) if isinstance(value, tuple) else number})


@pytest.mark.parametrize("name", numbers_of(ModelConfig()))
@pytest.mark.parametrize("number", [-1, 0, 10**7, 10**12, 10**30])
def test_no_number_of_a_model_makes_it_hang(name: str, number: int) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError, match=rf"model\.{name} "):
        build_model(with_number(TINY, name, number))
    assert name in MODEL and time.process_time() - began < QUICK


@pytest.mark.parametrize("name", [f.name for f in fields(ModelConfig)])
def test_a_wrong_type_of_any_field_is_refused(name: str) -> None:
    data = to_dict(TINY)
    kind = type(getattr(TINY, name))
    for value in WRONG:
        if type(value) is kind or (kind is float and value == 1.5):
            continue
        with pytest.raises(HstError):
            check_model(from_dict(ModelConfig, {**data, name: value}))


@pytest.mark.parametrize("head", ["", "softmax", "RGB"])
def test_words_of_a_model_are_checked(head: str) -> None:
    with pytest.raises(ConfigError, match=r"model\.head"):
        check_model(replace(TINY, head=head))
    with pytest.raises(GameError, match="unknown game"):
        check_model(replace(TINY, game="tetris"))


def test_a_model_may_not_be_too_large_as_a_whole() -> None:
    with pytest.raises(ConfigError, match="thousand million parameters; at most 10"):
        check_model(replace(TINY, dims=(8192,) * 4, depths=(64,) * 4))


def test_variants_are_within_the_limits_and_no_smaller_than_counted() -> None:
    for config in VARIANTS.values():
        check_model(config)
        with torch.device("meta"):
            made = sum(p.numel() for p in build_model(config).parameters())
        assert least_parameters(config) <= made <= 4 * least_parameters(config)  # tables are most of the smallest
    assert CUBE == cubes.CUBE


def test_no_number_of_a_run_is_without_a_limit() -> None:
    for section in ("data", "train"):
        for name in numbers_of(getattr(RunConfig(), section)):
            for number in (-1, 10**12, 10**30):
                part = with_number(getattr(RunConfig(), section), name, number)
                with pytest.raises(ConfigError, match=rf"{section}\.{name} must be"):
                    check_run(replace(RunConfig(), **{section: part}))


@pytest.mark.parametrize("part", [CodecConfig(), CodecRun().train])
def test_no_number_of_a_codec_run_is_without_a_limit(part: Any) -> None:
    for name in numbers_of(part):
        for number in (-1, 10**12):
            run = CodecRun()
            key = "codec" if isinstance(part, CodecConfig) else "train"
            with pytest.raises(ConfigError, match=rf"{key}\.{name} must be"):
                CodecTrainer(replace(run, **{key: with_number(part, name, number)}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    build_model(TINY).save_pretrained(path)
    return path


def copied(folder: Path, out: Path) -> Path:
    out.mkdir()
    for file in folder.iterdir():
        if file.suffix in (".json", ".safetensors"):
            (out / file.name).write_bytes(file.read_bytes())
    return out


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_numbers_that_are_not_finite_are_refused_by_name(
    folder: Path, tmp_path: Path, value: float, dtype: torch.dtype
) -> None:
    weights = load_file(folder / "model.safetensors")
    weights = {name: t.to(dtype) if t.is_floating_point() else t for name, t in weights.items()}
    name = sorted(name for name, t in weights.items() if t.is_floating_point())[3]
    weights[name].view(-1)[-1] = value
    bad = copied(folder, tmp_path / "bad")
    save_file(weights, bad / "model.safetensors")
    with pytest.raises(CheckpointError, match=rf"{name} holds numbers that are not finite") as caught:
        hstmae.load(bad)
    assert str(bad) in str(caught.value) and "\n" not in str(caught.value)


def test_a_codec_model_is_held_to_the_same(tmp_path: Path) -> None:
    bad = copied(CHECKPOINTS / "hst-codec-nano", tmp_path / "bad")
    weights = load_file(bad / "model.safetensors")
    weights["drawer.map.bias"][0] = math.nan
    save_file(weights, bad / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"drawer\.map\.bias holds numbers that are not finite"):
        load_codec(bad)
    for key, value in (("latent", 10**9), ("codes", 2**40), ("stages", 10**9), ("channels", -1), ("codes", 500)):
        config = json.loads((CHECKPOINTS / "hst-codec-nano" / "config.json").read_text())
        (bad / "config.json").write_text(json.dumps({**config, key: value}))
        with pytest.raises(CheckpointError, match=rf"codec\.{key} must be"):
            load_codec(bad)


CHANGES: dict[str, dict[str, Any]] = {
    "many blocks": {"depths": [10_000_000, 1, 1, 1]},
    "wide": {"dims": [10**9] * 4},
    "wide, and allowed as such": {"dims": [4096] * 4, "depths": [100] * 4},
    "windows": {"temporal_windows": [2, 4, 8, 10**9]},
    "negative": {"decoder_depth": -3},
    "text": {"decoder_dim": "large"},
    "NaN": {"mlp_ratio": math.nan},
    "infinite": {"mlp_ratio": math.inf},
    "huge ratio": {"mlp_ratio": 1e300},
    "three stages": {"dims": [16, 16, 16]},
    "unknown key": {"layers": 3},
    "unknown game": {"game": "tetris"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_config_json_is_refused_before_anything_of_its_size_is_made(
    folder: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    bad = copied(folder, tmp_path / "bad")
    (bad / "config.json").write_text(json.dumps({**to_dict(TINY), **change}))
    began = time.process_time()
    with pytest.raises((CheckpointError, GameError)) as caught:
        hstmae.load(bad)
    assert time.process_time() - began < QUICK and "\n" not in str(caught.value)


def broken_weights(data: bytes) -> dict[str, bytes]:
    return {
        "nothing": b"",
        "truncated": data[:-100],
        "cut in its head": data[:50],
        "more at its end": data + b"x",
        "length of the head": b"\xff" * 8 + data[8:],
        "a pickle": b"\x80\x04K\x01.",
        "text": b"hello",
    }


@pytest.mark.parametrize("kind", broken_weights(b"0" * 200))
def test_broken_weights_are_one_line(folder: Path, tmp_path: Path, kind: str) -> None:
    bad = copied(folder, tmp_path / "bad")
    (bad / "model.safetensors").write_bytes(broken_weights((folder / "model.safetensors").read_bytes())[kind])
    with pytest.raises(CheckpointError) as caught:
        hstmae.load(bad)
    assert "\n" not in str(caught.value)


def test_weights_of_another_shape_or_type_or_none_are_named(folder: Path, tmp_path: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    name = sorted(name for name, t in weights.items() if t.is_floating_point())[0]
    for change, reason in (
        ({name: weights[name].flatten()[:-1].clone()}, "another shape"),
        ({name: torch.zeros(weights[name].shape, dtype=torch.int64)}, "another type"),
        ({"surplus": torch.zeros(1)}, "unexpected: surplus"),
    ):
        bad = copied(folder, tmp_path / reason.split()[-1])
        save_file({**weights, **change}, bad / "model.safetensors")
        with pytest.raises(CheckpointError, match=reason):
            hstmae.load(bad)
    (bad / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no model\.safetensors"):
        hstmae.load(bad)


def test_checkpoints_of_training_are_held_to_the_same(tmp_path: Path) -> None:
    weights = build_model(TINY).state_dict()
    path = tmp_path / "best.pth"

    def refusal(**changes: Any) -> str:
        payload = {"step": 1, "config": {"model": to_dict(TINY)}, "ema": weights} | changes
        save_checkpoint({key: value for key, value in payload.items() if value is not None}, path)
        with pytest.raises(HstError) as caught:
            hstmae.load(path)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    name = "decoder.norm.weight" if "decoder.norm.weight" in weights else next(iter(weights))
    assert "not finite" in refusal(ema={**weights, name: torch.full_like(weights[name], math.nan)})
    assert "of another shape" in refusal(ema={**weights, name: torch.zeros(3)})
    assert "holds no tensors" in refusal(ema={**weights, name: "text"})
    assert "holds no tensors" in refusal(ema=[1, 2])
    assert "does not hold a model" in refusal(ema=None)
    assert "does not hold a model" in refusal(config=None)
    assert "does not hold a model" in refusal(config={"model": to_dict(TINY)}["model"])
    assert "model.depths" in refusal(config={"model": {**to_dict(TINY), "depths": [10**7, 1, 1, 1]}})
    assert "asks for more" in refusal(config={"model": {**to_dict(TINY), "dims": [4096] * 4}})


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path(tmp_path / "ran").write_text, ("x",))

    save_checkpoint({"step": 1, "ema": {}, "config": Runs()}, tmp_path / "evil.pth")  # with a right hash
    with pytest.raises(CheckpointError, match="no checkpoint of this program"):
        load_checkpoint(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()
    assert CodecModel.least_parameters(CodecConfig()) > 10**6
