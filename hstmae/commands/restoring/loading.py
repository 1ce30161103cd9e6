"""What restores, by the runtime that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...inference.job import Restores


def load_model(device: str, atlas: str | None, runtime: str, name: str) -> Restores:
    if runtime != "torch":
        from ...inference.exported import load_export

        return load_export(name, atlas, int8=runtime == "onnx-int8")
    from ...inference.loading import load

    return load(name, device, atlas)
