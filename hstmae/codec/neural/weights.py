"""Codec models as folders: config.json + model.safetensors."""

import hashlib
from pathlib import Path

import torch

from ...model_folders import WEIGHTS, find_model
from .model import CodecModel
from .statecoder import TABLES


def save_codec(model: CodecModel, folder: str | Path) -> None:
    """Write a model folder, floating point numbers as float16."""
    model.save_pretrained(folder, torch.float16)


def load_codec(name: str | Path) -> tuple[CodecModel, str]:
    """A codec model in evaluation mode, and the SHA-256 of its weights and tables as 64 hexadecimal digits.

    Args:
        name: a model folder, or a bundled name.
    Raises:
        CheckpointError: missing or damaged files, or weights that do not fit the configuration.
    """
    folder = find_model(name)
    model = CodecModel.from_pretrained(folder)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes())
    if (rows := folder / TABLES).is_file():
        digest.update(rows.read_bytes())
    return model.requires_grad_(False), digest.hexdigest()
