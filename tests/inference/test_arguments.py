"""Whatever is handed to `Predictor.restore`: it is taken as what it is, or refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hstmae.errors import HstError
from hstmae.inference.loading import load
from hstmae.inference.predictor import Predictor


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load("hst-mae-nano", "cpu", atlas=None)


T, H, W = 2, 16, 32
FRAMES = np.full((T, H, W), 15, np.uint8)
MASK = np.zeros((T, H, W), bool)
MASK[:, :, 16:] = True
STATE, CONTEXT = np.zeros((T, 2048), np.uint8), np.full((T, 13 * 32), 255, np.uint8)


def test_lists_and_tensors_are_taken_as_the_arrays_they_are(predictor: Predictor) -> None:
    plain = predictor.restore(FRAMES, MASK)
    for frames, mask in (
        (list(FRAMES), list(MASK)),
        (tuple(FRAMES), MASK.tolist()),
        (torch.from_numpy(FRAMES), torch.from_numpy(MASK)),
        (FRAMES, MASK[0]),
    ):
        made = predictor.restore(frames, mask)  # type: ignore[arg-type]
        assert np.array_equal(made.indices, plain.indices)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("numbers in lists", {"frames": FRAMES.tolist()}, "uint8"),
    ("pictures of two sizes", {"frames": [FRAMES[0], FRAMES[0][:8]]}, "pictures of one size"),
    ("no array", {"frames": None}, "frames"),
    ("words", {"frames": "frames.png"}, "frames must be"),
    ("objects", {"frames": [object()]}, "no array of numbers"),
    ("floats", {"frames": FRAMES / 255}, "float64"),
    ("no frames", {"frames": FRAMES[:0]}, "frames must be"),
    ("true colour", {"frames": np.zeros((T, H, W, 3), np.uint8)}, "palette footage only"),
    ("no mask", {"mask": None}, "mask"),
    ("float mask", {"mask": MASK.astype(np.float32)}, "got float32.*mask > 0"),
    ("byte mask", {"mask": MASK.astype(np.uint8)}, "got uint8"),
    ("mask of another size", {"mask": MASK[:, :8]}, r"\[2, 8, 32\]"),
    ("mask of more frames", {"mask": np.concatenate([MASK, MASK])}, "mask must be"),
    ("palette of another length", {"palette": np.zeros((3, 3), np.uint8)}, "palette must be"),
    ("palette of floats", {"palette": np.zeros((64, 3))}, "palette must be"),
    ("too few states", {"state": STATE[:1]}, "as many states"),
    ("one state for all", {"state": STATE[0]}, "as many states"),
    ("states of another size", {"state": STATE[:, :100]}, "state must be uint8"),
    ("states of floats", {"state": STATE.astype(float)}, "state must be uint8"),
    ("too few rows of context", {"state": STATE, "context": CONTEXT[:1]}, "as many rows of context"),
    ("context too narrow", {"state": STATE, "context": CONTEXT[:, :10]}, "context must be uint8"),
    ("context of floats", {"state": STATE, "context": CONTEXT.astype(float)}, "context must be uint8"),
    ("too few frame numbers", {"frame_numbers": [1]}, "as many frame numbers"),
    ("frame numbers in halves", {"frame_numbers": [0.5, 1.5]}, "whole numbers"),
    ("frame numbers backwards", {"frame_numbers": [5, 4]}, "ascend"),
    ("words as frame numbers", {"frame_numbers": ["a", "b"]}, "whole numbers"),
    ("an unknown level", {"level": "some"}, "level must be one of none, compact, full"),
    ("no level", {"level": None}, "level must be"),
    ("origin of one number", {"origin": 3}, "origin must be"),
    ("negative origin", {"origin": (-1, 0)}, "origin must be"),
    ("origin in halves", {"origin": (0.5, 0)}, "origin must be"),
    ("wanted by number", {"wanted": [0, 1]}, "wanted must be bool"),
    ("wanted too long", {"wanted": np.ones(5, bool)}, "wanted must be bool"),
]


@pytest.mark.parametrize(("changes", "reason"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_does_not_fit_is_named(changes: dict[str, Any], reason: str, predictor: Predictor) -> None:
    with pytest.raises(HstError, match=reason):
        predictor.restore(**{"frames": FRAMES, "mask": MASK, **changes})
