"""LPIPS (Zhang et al., 2018; version 0.1, AlexNet) and FID by weights that the user has placed: nothing is fetched.

The folder holds the files of one or both as their authors publish them, which are known by their SHA-256.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import DataError, UsageError
from .inception import Inception

ALEXNET, LINEAR = "alexnet-owt-7be5be79.pth", "alex.pth"
INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
FILES_OF = {"lpips": (ALEXNET, LINEAR), "fid": (INCEPTION,)}
FILES = {  # how their SHA-256 begins, and where they come from
    ALEXNET: ("7be5be79", f"https://download.pytorch.org/models/{ALEXNET}"),
    LINEAR: (
        "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/alex.pth",
    ),
    INCEPTION: ("6726825d", f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{INCEPTION}"),
}
_LAYERS = (
    (0, 3, 64, 11, 4, 2),
    (3, 64, 192, 5, 1, 2),
    (6, 192, 384, 3, 1, 1),
    (8, 384, 256, 3, 1, 1),
    (10, 256, 256, 3, 1, 1),
)
_POOLED = (3, 6)  # layers that a pooling stands before
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_AT_ONCE = 8  # pictures


class Lpips(nn.Module):
    """The distance of pictures as networks that know photographs see it: 0 for equal ones.

    Args:
        alexnet, linear: the content of the two files.
    Raises:
        KeyError, RuntimeError: they hold something else.
    """

    def __init__(self, alexnet: dict[str, Tensor], linear: dict[str, Tensor]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(a, b, side, stride, pad) for _, a, b, side, stride, pad in _LAYERS)
        for (number, *_), layer in zip(_LAYERS, self.layers, strict=True):
            layer.load_state_dict({name: alexnet[f"features.{number}.{name}"] for name in ("weight", "bias")})
        for k in range(len(_LAYERS)):
            self.register_buffer(f"weights{k}", linear[f"lin{k}.model.1.weight"].float())
        self.requires_grad_(False).eval()

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """float32 [N], of pictures uint8 [N, H, W, 3], sides of 32 pixels or more."""
        total = torch.zeros(len(one))
        for k, (a, b) in enumerate(zip(self._features(one), self._features(other), strict=True)):
            unlike = (functional.normalize(a, eps=1e-10) - functional.normalize(b, eps=1e-10)) ** 2
            total += functional.conv2d(unlike, getattr(self, f"weights{k}")).mean((1, 2, 3))
        return total

    def _features(self, pictures: Tensor) -> list[Tensor]:
        x = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
        x = (x - torch.tensor(_SHIFT)[:, None, None]) / torch.tensor(_SCALE)[:, None, None]
        found = []
        for (number, *_), layer in zip(_LAYERS, self.layers, strict=True):
            x = functional.relu(layer(functional.max_pool2d(x, 3, 2) if number in _POOLED else x))
            found.append(x)
        return found


@dataclass(frozen=True)
class Perceived:
    """What networks say of a clip: the sum of LPIPS over so many frames, or 0, 0; and features float32 [N, 2048] of its
    true frames and of the restored ones, or None."""

    lpips: float = 0.0
    frames: int = 0
    features: tuple[np.ndarray, np.ndarray] | None = None


def perceive(folder: str, made: np.ndarray, truth: np.ndarray, hidden: np.ndarray) -> Perceived:
    """Of the frames of which something is hidden.

    Args:
        folder: of the weights; what has some is measured.
        made, truth: uint8 [T, H, W, 3]; of `made` what is `hidden`, bool [T, H, W], is looked at.
    Raises:
        UsageError: as `check_weights`.
        DataError: a file cannot be read.
    """
    lpips, inception = load_networks(folder)
    frames = np.flatnonzero(hidden.any((1, 2)))
    total, features = 0.0, list[tuple[np.ndarray, np.ndarray]]()
    for at in range(0, len(frames), _AT_ONCE):
        some = frames[at : at + _AT_ONCE]
        pasted = torch.from_numpy(np.where(hidden[some, ..., None], made[some], truth[some]))
        true = torch.from_numpy(np.ascontiguousarray(truth[some]))
        if lpips is not None:
            with torch.inference_mode():
                total += float(lpips(pasted, true).double().sum())
        if inception is not None:
            features.append((inception.features(true).numpy(), inception.features(pasted).numpy()))
    both = [np.concatenate(part) for part in zip(*features, strict=True)]
    return Perceived(total, 0 if lpips is None else len(frames), (both[0], both[1]) if both else None)


def check_weights(folder: Path) -> list[str]:
    """What can be measured: "lpips", "fid". Raises UsageError where it is neither, or a file is missing or is another:
    what to place there, and from where."""
    found = [kind for kind, names in FILES_OF.items() if any((folder / name).is_file() for name in names)]
    for name in (name for kind in found or FILES_OF for name in FILES_OF[kind]):
        start, source = FILES[name]
        place = folder / name
        if not place.is_file():
            raise UsageError(f"{place}: is not there; it is needed from {source} (SHA-256 {start}...)")
        digest = hashlib.sha256(place.read_bytes()).hexdigest()
        if not digest.startswith(start):
            raise UsageError(f"{place}: its SHA-256 is {digest[:16]}..., not {start[:16]}...; fetch it from {source}")
    return found


@lru_cache(maxsize=1)
def load_networks(folder: str) -> tuple[Lpips | None, Inception | None]:
    """What can be measured by the weights in a folder. Raises as `perceive`."""
    kinds = check_weights(Path(folder))
    try:
        read: dict[str, Any] = {
            name: torch.load(Path(folder) / name, "cpu", weights_only=True) for kind in kinds for name in FILES_OF[kind]
        }
        lpips = Lpips(read[ALEXNET], read[LINEAR]) if "lpips" in kinds else None
        return lpips, Inception(read[INCEPTION]) if "fid" in kinds else None
    except (OSError, RuntimeError, KeyError, EOFError, TypeError, AttributeError, UnpicklingError) as error:
        raise DataError(f"{folder}: its weights cannot be read ({error})") from None
