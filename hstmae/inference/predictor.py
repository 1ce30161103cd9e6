"""Restoration of footage by a trained model: `load("hst-mae-nano").restore(frames, mask)`."""

from __future__ import annotations

import hashlib

from ..notebook import Row
from ..restoration.restorer import Restorer
from ..restoration.result import Restoration
from .footage_restorer import FootageRestorer

__all__ = ["Predictor", "Restoration"]


class Predictor(Restorer, FootageRestorer):
    """A model of PyTorch with its game, ready to restore footage of any length and size, with the game's memory."""

    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr(self.config).encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode() + tensor.detach().float().cpu().contiguous().numpy().tobytes())
        if self.atlas is not None and self.recall:
            for name, array in self.atlas.arrays().items():
                digest.update(name.encode() + array.tobytes())
        return digest.hexdigest()

    def _rows(self) -> list[Row]:
        count = sum(p.numel() for p in self.model.parameters()) if hasattr(self.model, "parameters") else None
        return [("parameters", None if count is None else f"{count / 1e6:.1f} million"), ("device", self.device)]
