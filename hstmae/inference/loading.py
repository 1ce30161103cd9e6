"""Models for restoration from names and files: `load("hst-mae-nano")`."""

from __future__ import annotations

from pathlib import Path

import torch

from ..atlas.maps import Atlas
from ..config import ModelConfig, from_dict
from ..errors import CheckpointError, UsageError
from ..games import get_game
from ..model_folders import ATLAS, find_model, run_checkpoint
from ..models.checkpoint import load_checkpoint
from ..models.mae import HSTMAE
from ..models.pretrained import check_weights, mismatch
from ..models.zoo import build_model, load_pretrained
from .predictor import Predictor


def load(name: str | Path, device: str = "auto", atlas: str | Path | None = "auto") -> Predictor:
    """Load a model for restoration.

    Args:
        name: a bundled name, a model folder, a run folder or a training checkpoint (.pth).
        device: "auto", "cpu" or "cuda".
        atlas: "auto" takes the one that lies with the model; a file (`hstmae atlas` makes them), another model's name,
            or None for no atlas.
    Raises:
        CheckpointError: missing, damaged or not a model of this program.
        UsageError: "cuda" where there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("device cuda: PyTorch finds no CUDA device here; use auto or cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    path = run_checkpoint(Path(name)) or Path(name)
    model = _from_training(path) if path.is_file() else load_pretrained(name)
    maps = None
    if atlas is not None:
        own = atlas == "auto"
        maps = find_atlas(name if own else atlas, model.config, needed=not own)
    return Predictor(model, model.config, device, atlas=maps)


def find_atlas(name: str | Path, config: ModelConfig, *, needed: bool = True) -> Atlas | None:
    """An atlas by its file, or the one in the folder of a model, of a run or of a checkpoint.

    Raises:
        CheckpointError: a damaged file, an atlas of another game, or none at all though one is `needed`.
    """
    path = Path(name)
    if path.suffix == ".pth":
        path = path.with_name(ATLAS)
    elif path.suffix != ".npz":
        path = (path if path.is_dir() else find_model(name)) / ATLAS
    if not needed and not path.is_file():
        return None
    made = Atlas.load(path)
    if made.game != config.game:
        raise CheckpointError(f"{path}: an atlas of game '{made.game}'; model {config.name} is for '{config.game}'")
    made.check_game(get_game(made.game), path)
    return made


def _from_training(path: Path) -> HSTMAE:
    payload = load_checkpoint(path)
    try:
        config, weights = from_dict(ModelConfig, payload["config"]["model"], str(path)), payload["ema"]
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: does not hold a model of this program ({error!r})") from error
    check_weights(weights, HSTMAE.least_parameters(config), str(path))
    model = build_model(config)
    if problems := mismatch(model.state_dict(), weights):
        raise CheckpointError(f"{path}: its weights do not fit its configuration ({'; '.join(problems)})")
    model.load_state_dict(weights)
    return model
