"""Files that come with the package: configurations, trained models and a short sample session.

A checkout shows the same folders at its root as configs/, checkpoints/ and assets/. Where those are not at hand (the
package came as a wheel, the command runs elsewhere), the same paths still lead here.
"""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent
CONFIGS = _FOLDER / "configs"
CHECKPOINTS = _FOLDER / "checkpoints"
SAMPLES = _FOLDER / "samples"

SIZES = ("pico", "nano", "tiny", "small", "base", "large")  # of the model family: configs/mae_*.yaml

_AT_ROOT = {"configs": CONFIGS, "checkpoints": CHECKPOINTS, "assets": SAMPLES}


def find(path: str | os.PathLike[str]) -> Path:
    """A path as given, unless nothing lies there and it names a bundled file: assets/sample_session, sample_session."""
    return _find(path, SAMPLES)


def find_config(path: str | os.PathLike[str]) -> Path:
    """The same for a run's configuration: configs/mae_nano.yaml, mae_nano.yaml, mae_nano."""
    return _find(path, CONFIGS, ".yaml")


def find_checkpoint(path: str | os.PathLike[str]) -> Path:
    """The same for a model: checkpoints/hst-mae-nano, hst-mae-nano."""
    return _find(path, CHECKPOINTS)


def names(folder: Path) -> str:
    """What one of the folders holds, for messages: "hst-codec-nano, hst-mae-nano, ..."."""
    return ", ".join(sorted({p.stem for p in folder.iterdir() if p.stem != "README" and not p.name.startswith(".")}))


def _find(path: str | os.PathLike[str], folder: Path, suffix: str = "") -> Path:
    given = Path(path)
    if _there(given) or given.is_absolute() or ".." in given.parts or not given.parts:
        return given
    first, *rest = given.parts
    inside = _AT_ROOT[first].joinpath(*rest) if first in _AT_ROOT else folder / given
    for candidate in (inside, inside.with_name(inside.name + suffix)):
        if _there(candidate):
            return candidate
    return given


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long to be asked for, a NUL in it
        return False
