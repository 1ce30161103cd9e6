"""Mistakes that show before anything heavy is loaded: inputs that are not there or no files, models of no such name."""

from __future__ import annotations

import argparse
import difflib
import os
import stat
from pathlib import Path

from .errors import CheckpointError, DataError
from .model_folders import LAST, PREVIOUS, check_model
from .output import STDOUT

INPUTS = (
    "input",
    "input_dir",
    "input_image",
    "test_data",
    "store",
    "file",
    "files",
    "movie",
    "rom",
    "side",
)  # what is read
AUTO = "auto"  # of a model: the one that suits the input
CONFIGS = ("config", "sweep", "masks")  # read as well, and looked for by the reader of YAML files
CODECS = ("encode", "decode", "verify", "bench")  # verbs whose model is a codec's


def inputs_of(args: argparse.Namespace) -> list[Path]:
    """Everything a command line names as read."""
    given = (getattr(args, name, None) for name in (*INPUTS, *CONFIGS))
    listed = (value if isinstance(value, list) else [value] for value in given)
    return [path for values in listed for path in values if isinstance(path, Path)]


def check_inputs(verb: str, args: argparse.Namespace) -> None:
    """Refuse inputs that cannot be read at all, and models that are not there.

    Raises:
        DataError, CheckpointError: one of them; the message says what was found there.
    """
    for name in INPUTS:
        path = getattr(args, name, None)
        if isinstance(path, Path) and path != STDOUT:
            check_input(path)
    if getattr(args, "checkpoint", None) not in (None, AUTO):
        check_model(args.checkpoint, codec=verb in CODECS)
    atlas = getattr(args, "atlas", None)
    if atlas is not None and atlas != "auto":
        (check_input if str(atlas).endswith((".npz", ".pth")) else check_model)(atlas)


def check_input(path: str | Path) -> None:
    """Refuse a path where there is neither a file nor a folder that can be read. Nothing is opened: a pipe would wait.

    Raises:
        DataError: nothing is there, or a pipe, a device, or what may not be read.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise DataError(f"{path}: no such file or folder{_near(path)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{str(path)[:200]!r}: cannot be read ({reason}); check the path") from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise DataError(f"{path}: is a pipe or a device; write what it gives into a file, and give that")
    if not os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)):
        raise DataError(f"{path}: may not be read; check its permissions")


def check_resume(path: Path) -> None:
    """Refuse what no run can be continued from, as far as names of files tell.

    Raises:
        DataError, CheckpointError: nothing that can be read is there, or a folder without a checkpoint.
    """
    check_input(path)
    if path.is_dir() and not any((path / name).exists() for name in (LAST, PREVIOUS)):
        raise CheckpointError(f"{path}: holds neither {LAST} nor {PREVIOUS}; start the run without --resume")


def _near(path: Path) -> str:
    """What lies beside and has a similar name."""
    try:
        beside = os.listdir(path.parent)
    except (OSError, ValueError):
        return ""
    found = difflib.get_close_matches(path.name, beside, 1, 0.75)
    return f"; did you mean '{path.parent / found[0]}'?" if found else ""
