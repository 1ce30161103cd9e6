"""Weights stored as 8-bit numbers: close to what they were, a quarter of the size, loaded like any others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from shaken import SMALL, shaken
from test_growing import answer

from hstmae.errors import CheckpointError
from hstmae.models import load_pretrained, save_pretrained
from hstmae.models.packing import SCALE, packed, unpacked


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.lists(st.integers(1, 40), min_size=1, max_size=4), st.floats(1e-6, 1e3))
def test_no_number_is_further_off_than_half_a_step(seed: int, shape: list[int], size: float) -> None:
    torch.manual_seed(seed)
    given_ = torch.randn(shape) * size * torch.rand(shape[0]).view(-1, *[1] * (len(shape) - 1))
    weights = {"x": given_, "zero": torch.zeros(20, 20), "marks": torch.tensor([3, 4], dtype=torch.uint8)}
    stored = packed(weights)
    back = unpacked(stored)
    assert back.keys() == weights.keys() and torch.equal(back["marks"], weights["marks"])
    assert torch.equal(back["zero"], weights["zero"])
    if "x" + SCALE in stored:
        step = stored["x" + SCALE].float()
        assert ((back["x"] - given_).abs() <= step * 0.501 + given_.abs() * 2e-3).all()
    else:
        assert torch.allclose(back["x"], given_, rtol=1e-3, atol=1e-6)


def test_a_model_in_few_bytes_loads_like_any_other(tmp_path: Path) -> None:
    model = shaken(SMALL)
    model.save_pretrained(tmp_path / "float")
    save_pretrained(model.state_dict(), SMALL, tmp_path / "int", torch.int8)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("float", "int")]
    small = load_pretrained(tmp_path / "int")
    kept = sum(b.numel() for b in model.buffers())  # marks of the place memory are bytes as they are
    assert sizes[1] - kept < 0.4 * (sizes[0] - kept)
    with torch.no_grad():
        before, after = answer(model, 2), answer(small, 2)
    assert 0 < (before - after).abs().max() < 0.2 * before.abs().max()


def test_a_missing_scale_is_not_read_as_weights(tmp_path: Path) -> None:
    save_pretrained(shaken(SMALL).state_dict(), SMALL, tmp_path, torch.int8)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["encoder.patch.weight.scale"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"encoder\.patch\.weight"):
        load_pretrained(tmp_path)
