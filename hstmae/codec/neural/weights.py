"""Codec models as folders: config.json + model.safetensors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from ...atomic import write_bytes, write_text
from ...config import from_dict, to_dict
from ...errors import CheckpointError, ConfigError
from ...models.zoo import find_model, mismatch
from .model import CodecConfig, CodecModel
from .statecoder import TABLES


def save_codec(model: CodecModel, folder: str | Path) -> None:
    """Write a model folder, floating point numbers as float16; the weights before the config that names them."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: (v.half() if v.is_floating_point() else v).contiguous().cpu() for k, v in model.state_dict().items()}
    write_bytes(folder / "model.safetensors", save_tensors(tensors, metadata={"format": "pt"}))
    write_text(folder / "config.json", json.dumps(to_dict(model.config), indent=2) + "\n")


def load_codec(name: str | Path) -> tuple[CodecModel, str]:
    """A codec model in evaluation mode, and the SHA-256 of its weights and tables as 64 hexadecimal digits.

    Args:
        name: a model folder, or a bundled name.
    Raises:
        CheckpointError: missing or damaged files, or weights that do not fit the configuration.
    """
    folder = find_model(name)
    try:
        data = (folder / "model.safetensors").read_bytes()
        config = from_dict(CodecConfig, json.loads((folder / "config.json").read_text()), str(folder / "config.json"))
        weights = load_tensors(data)
        model = CodecModel(config)
    except ConfigError as error:
        raise CheckpointError(f"{folder}: not a codec model ({error})") from error
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{folder}: cannot load the codec model ({first}); fetch or train it again") from error
    problems = mismatch(model.state_dict(), weights)
    if problems:
        raise CheckpointError(f"{folder}: model.safetensors does not fit config.json ({'; '.join(problems)})")
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.items()})
    rows = folder / TABLES
    digest = hashlib.sha256(data + (rows.read_bytes() if rows.is_file() else b"")).hexdigest()
    return model.eval().requires_grad_(False), digest
