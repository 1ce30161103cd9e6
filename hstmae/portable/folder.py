"""An export as a folder: manifest.json, which names every file with its hash, shapes and golden input and output."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ..config import ModelConfig, from_dict
from ..errors import CheckpointError, ConfigError
from ..model_folders import MANIFEST, find_model

FORMAT = "hstmae-export-1"
NETWORK, INT8, WHOLE, BLIND = "network", "network_int8", "whole", "blind"  # graphs, by their names in the manifest
FIXED = "fixed"  # golden arrays of the graphs for phones, all of whose sizes are fixed
HEAD, GOLDEN = "head.npz", "golden.npz"


class Export:
    """The manifest of an export, and its files, each checked against its hash before it is used.

    Attributes:
        folder: where it lies; manifest: the whole of manifest.json; config: of the model.
    """

    def __init__(self, folder: str | Path) -> None:
        """Raises CheckpointError: no export is there, a damaged one, or one of another version."""
        self.folder = find_model(folder)
        file = self.folder / MANIFEST
        if not file.is_file():
            raise CheckpointError(
                f"{folder}: is no export, it has no {MANIFEST}; hstmae export {folder} --out DIR makes one, where "
                "PyTorch is installed"
            )
        try:
            self.manifest: dict[str, Any] = json.loads(file.read_text("utf-8"))
            if self.manifest["format"] != FORMAT:
                raise CheckpointError(
                    f"{file}: has format {self.manifest['format']!r}, this version reads {FORMAT!r}; export it again"
                )
            self.config = from_dict(ModelConfig, self.manifest["config"], str(file))
            height, width = self.manifest["size"]
            self.clip, self.size = int(self.manifest["clip"]), (int(height), int(width))
            self.files: dict[str, str] = dict(self.manifest["files"])
            self.graphs: dict[str, Any] = dict(self.manifest["graphs"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError, ConfigError) as error:
            raise CheckpointError(
                f"{file}: damaged ({type(error).__name__}: {error}); export the model again"
            ) from None

    def read(self, name: str) -> bytes:
        """The bytes of a file of the export. Raises CheckpointError where they are not those that were written."""
        path = self.folder / name
        if name not in self.files or not path.is_file():
            raise CheckpointError(f"{path}: is missing; export the model again")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != self.files[name]:
            raise CheckpointError(f"{path}: damaged: its content does not match its hash; export the model again")
        return data

    def graph(self, name: str) -> bytes:
        """A graph's file."""
        if name not in self.graphs:
            raise CheckpointError(
                f"{self.folder}: holds no graph '{name}' ({', '.join(self.graphs)}); export the model with it"
            )
        return self.read(self.graphs[name]["file"])

    def fingerprint(self, graph: str) -> str:
        """Equal for exports that restore alike."""
        return hashlib.sha256(repr([sorted(self.files.items()), graph]).encode()).hexdigest()
