"""Codec models as folders: config.json + model.safetensors."""

import hashlib
from pathlib import Path

import torch

from ...model_folders import WEIGHTS, find_model
from .model import CodecModel
from .statecoder import OLDER, TABLES


def save_codec(model: CodecModel, folder: str | Path) -> None:
    """Write a model folder, floating point numbers as float16."""
    model.save_pretrained(folder, torch.float16)


def load_codec(name: str | Path) -> CodecModel:
    """A codec model in evaluation mode.

    Args:
        name: a model folder, or a bundled name.
    Raises:
        CheckpointError: missing or damaged files, or weights that do not fit the configuration.
    """
    return CodecModel.from_pretrained(find_model(name)).requires_grad_(False)


def hash_of(folder: Path, rows: Path) -> str:
    """SHA-256 of a model's weights with these tables of rows, where there are such, as 64 hexadecimal digits: what a
    file says of the model that it was coded with."""
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes())
    if rows.is_file():
        digest.update(rows.read_bytes())
    return digest.hexdigest()


def rows_of(folder: Path, bound: str = "") -> tuple[Path, str]:
    """The tables of rows that a file with the hash `bound` was coded with, and that hash: the model's newest where
    there is no such file, or none of the model's fits."""
    newest = folder / TABLES
    mine = hash_of(folder, newest)
    if bound and bound != mine:
        for older in sorted(folder.glob(OLDER)):
            if hash_of(folder, older) == bound:
                return older, bound
    return newest, mine
