"""Where models lie: found by name, listed and refused without loading any of them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from .bundled import CHECKPOINTS, CONFIGS, find_checkpoint
from .errors import CheckpointError

CONFIG, WEIGHTS = "config.json", "model.safetensors"  # of a model folder
ATLAS = "atlas.npz"  # beside a model's weights
MANIFEST = "manifest.json"  # of an export, which has a config.json and no weights
LAST, PREVIOUS, BEST = "last.pth", "previous.pth", "best.pth"  # of a run folder
NAMED = Path("checkpoints")  # folder whose models go by their names
VARIABLE = "HSTMAE_MODELS"  # and another one
_HUB = re.compile(r"[\w-][\w.-]*/[\w.-]*[\w-]")
_SHOWN = 12  # names of a message


def find_model(name: str | Path, revision: str | None = None) -> Path:
    """The folder of a model: a path, a name in $HSTMAE_MODELS or ./checkpoints, a bundled name, or a hub id.

    A hub id is "owner/name" and is looked up on the Hugging Face Hub when no folder has that name, at a `revision`: a
    branch, tag or commit; None = the newest.

    Raises:
        CheckpointError: nothing of that name, or a hub id without huggingface_hub or that cannot be fetched.
    """
    folder = _folder(name)
    if folder is not None:
        return folder
    if _is_hub_id(name):
        return _from_hub(str(name), revision)
    raise CheckpointError(_unknown(name))


def check_model(name: str | Path, codec: bool | None = False) -> None:
    """Refuse a name that no model can be loaded by, as far as names of files and config.json tell.

    Args:
        codec: a codec model is meant, else one that restores; None = either.
    Raises:
        CheckpointError: nothing of that name, a folder or file of another kind; it lists what can be loaded.
    """
    path = Path(name)
    if path.is_file():
        if path.suffix in (".safetensors", ".json", ".npz"):
            raise CheckpointError(f"{path}: is a part of a model; give the folder it lies in, {path.absolute().parent}")
        return
    if os.path.lexists(path) and not path.is_dir():
        raise CheckpointError(f"{path}: is no file and no folder; give a model folder, a run folder or a .pth file")
    if run_checkpoint(path):
        return
    folder = _folder(name)
    if folder is None and not _is_hub_id(name):
        raise CheckpointError(_unknown(name))
    if folder is not None and not model_config(folder):
        raise CheckpointError(f"{folder / CONFIG}: does not describe a model; put back the one it was saved with")
    if folder is not None and codec is not None and is_codec(folder) != codec:
        kinds = ("a codec model", "a model that restores")
        raise CheckpointError(f"{name}: is {kinds[codec]}, and {kinds[not codec]} is needed; {_by_name()}")


def run_checkpoint(folder: Path) -> Path | None:
    """The checkpoint that stands for a run folder: the best one, else the last; None where there is none."""
    if (folder / CONFIG).is_file():
        return None
    return next((folder / file for file in (BEST, LAST) if (folder / file).is_file()), None)


def at_hand() -> dict[str, Path]:
    """The folders of models that go by a name here, bundled ones last, by that name."""
    found: dict[str, Path] = {}
    for place in (*([Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []), NAMED, CHECKPOINTS):
        if place.is_dir():
            for folder in sorted(place.iterdir()):
                if (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file():
                    found.setdefault(folder.name, folder)
    return found


def weights_of(name: str) -> str | None:
    """Where the weights of a model lie that goes by a name: "bundled", or their folder; None where there are none."""
    folder = at_hand().get(name)
    return None if folder is None else "bundled" if folder.parent == CHECKPOINTS else str(folder)


def model_game(name: str | Path) -> str | None:
    """The name of the game that a model is for, as its config.json tells; None where only loading the model tells.

    Raises:
        CheckpointError: nothing of that name.
    """
    path = Path(name)
    if path.is_file() or run_checkpoint(path) or (_folder(name) is None and _is_hub_id(name)):
        return None
    game = model_config(find_model(name)).get("game")
    return game if isinstance(game, str) else None


def is_codec(folder: Path) -> bool:
    """Whether a model folder is one of a codec; False as well where its config.json cannot be read."""
    return "codes" in model_config(folder)


def model_config(folder: Path) -> dict[str, Any]:
    """The config.json of a model folder as it is; empty where it cannot be read, which loading the model tells."""
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def _places(name: str | Path) -> list[Path]:
    named = [Path(os.environ[VARIABLE]) / name] if os.environ.get(VARIABLE) else []
    return [Path(name), *named, NAMED / name, find_checkpoint(name)]


def _folder(name: str | Path) -> Path | None:
    if not str(name):
        return None
    return next((place for place in _places(name) if (place / CONFIG).is_file()), None)


def _is_hub_id(name: str | Path) -> bool:
    return bool(_HUB.fullmatch(str(name))) and not Path(name).exists()


def _unknown(name: str | Path) -> str:
    variant = str(name).removeprefix("hst-mae-")
    if str(name).endswith(".pth"):
        what = f"{name}: no such checkpoint"
    elif Path(name).is_dir():
        what = f"{name}: no model: the folder holds neither {CONFIG} nor {BEST} nor {LAST}"
    elif str(name) == f"hst-mae-{variant}" and (CONFIGS / f"mae_{variant}.yaml").is_file():
        what = f"no model '{name}': its weights are not at hand (hstmae train --config mae_{variant} makes them)"
    else:
        looked = ", ".join(dict.fromkeys(str(place) for place in _places(name)))
        what = f"no model '{name}': no {CONFIG} in {looked}"
    return f"{what}; {_by_name()}; else give a model folder, a run folder or a .pth file of training"


def _by_name() -> str:
    folders = at_hand()
    models = [name for name, folder in folders.items() if not is_codec(folder)]
    codecs = [name for name in folders if name not in models]
    return f"by name there are {_list(models)}, and for the codec {_list(codecs)}"


def _list(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _from_hub(name: str, revision: str | None = None) -> Path:
    """Fetch (or find in its cache) the files of a model on the Hugging Face Hub."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise CheckpointError(
            f"no folder '{name}'; to fetch a model of that name from the Hugging Face Hub: pip install 'hstmae[hub]'"
        ) from None
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=[CONFIG, WEIGHTS, ATLAS]))
    except Exception as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"cannot fetch '{name}' from the Hugging Face Hub ({line})") from error
    if not (folder / CONFIG).is_file():
        raise CheckpointError(f"'{name}' on the Hugging Face Hub is no HST-MAE model: it has no {CONFIG}")
    return folder
