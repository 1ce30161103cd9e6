"""Training checkpoints that are either whole and proven so, or refused.

A checkpoint is an ordinary `.pth` archive of tensors and plain data. Its SHA-256 stands in the archive's own comment
field (the end of a zip file), so one file carries its proof and `torch.load(path, weights_only=True)` still reads it.
What a run goes on from is written often, and a model has hundreds of tensors of a few bytes, each of which costs some
twenty objects of Python: there they lie in one tensor (`_gather`).
"""

import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ..atomic import TEMP_MARK, replacing
from ..errors import CheckpointError
from ..model_folders import BEST, LAST, PREVIOUS

FORMAT = "hstmae-training-1"
GATHERED = "hstmae-training-2"  # its small tensors lie in one
_SMALL = 1 << 16  # bytes
_NUMBER = "\0tensor"  # the one key of what stands for a small tensor: its number
_Found = list[tuple[str, list[int], Tensor]]  # type, shape and bytes of each
_MARK = b"hstmae-sha256:"
_COMMENT = len(_MARK) + 64  # hexadecimal SHA-256 of everything before the comment
_LEAST = 22 + _COMMENT  # a zip archive ends with a record of 22 bytes, whose last two count the comment that follows


def save_checkpoint(payload: dict[str, Any], path: Path) -> None:
    """Write `payload` (state dicts, numbers, strings, lists, dicts) to `path`, synced, whole or not at all.

    Raises:
        OSError: the folder cannot be written or the disk is full; an older file at `path` is then untouched.
    """
    with replacing(path) as temp:
        _write(payload, temp)


def save_last(payload: dict[str, Any], run: Path) -> None:
    """Write `run`/last.pth; the one it replaces becomes previous.pth. At any instant one of them is whole."""
    last = run / LAST
    with replacing(last) as temp:
        _write(_gather(payload), temp)
        if last.exists():
            with replacing(run / PREVIOUS) as second:
                _clone(last, second)


def save_weights(payload: dict[str, Any], path: Path) -> None:
    """Write the averaged weights of a checkpoint alone: a fourth of its size, for evaluation, restoring and --init."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint({key: payload[key] for key in ("step", "config", "ema", "best")}, path)


def keep_epoch(run: Path, epoch: int) -> None:
    """Keep `run`/last.pth as epoch-NNNN.pth as well, whatever replaces it."""
    with replacing(run / f"epoch-{epoch:04d}.pth") as temp:
        _clone(run / LAST, temp)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a training checkpoint onto the CPU after checking its hash.

    Raises:
        CheckpointError: the file is missing, truncated, altered, or no checkpoint of this program.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is no file" if path.exists() else "no such checkpoint"
        raise CheckpointError(f"{path}: {what}; give a run folder or a .pth file of training")
    with open(path, "rb") as file:
        try:
            _check(file, path)
            file.seek(0)
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check the file") from None
        try:
            payload = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # of a file whose hash is right and whose content is not
            raise CheckpointError(f"{path}: is no checkpoint of this program ({type(error).__name__})") from error
    if not isinstance(payload, dict):
        raise CheckpointError(f"{path}: is no checkpoint of this program: it holds no names")
    form = payload.get("format")
    if form == GATHERED:
        try:
            return _scatter(payload)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError, RuntimeError) as error:
            raise CheckpointError(f"{path}: is no checkpoint of this program ({type(error).__name__})") from error
    if form != FORMAT:
        raise CheckpointError(f"{path}: has format {form!r}, this version reads {FORMAT!r} and {GATHERED!r}")
    return payload


def load_resume(source: Path, say: Callable[[str], None]) -> tuple[dict[str, Any], Path]:
    """The checkpoint to continue from, and the run folder it lies in.

    Args:
        source: a `.pth` file, or a run folder, whose last.pth is taken, or previous.pth when last.pth is damaged
            (which is then renamed to last.damaged.pth, so that it never replaces the good one).
        say: receives the message about a damaged file.
    Raises:
        CheckpointError: no whole checkpoint is there.
    """
    if not source.is_dir():
        payload = load_checkpoint(source)
        if "model" not in payload:
            raise CheckpointError(f"{source}: holds weights alone: start a run from it with --init instead of --resume")
        return payload, source.parent
    last, previous = source / LAST, source / PREVIOUS
    if not last.exists() and not previous.exists():
        raise CheckpointError(f"{source}: holds neither {LAST} nor {PREVIOUS}; start the run without --resume")
    try:
        return load_checkpoint(last), source
    except CheckpointError as problem:
        if not previous.exists():
            raise CheckpointError(f"{problem}; there is no {PREVIOUS} to fall back on") from None
        payload = load_checkpoint(previous)
        say(f"{problem}; continuing from {previous} (step {payload['step']})")
        if last.exists():
            os.replace(last, source / "last.damaged.pth")
        return payload, source


def can_resume(folder: Path) -> bool:
    """Whether a run in `folder` got as far as its first checkpoint, be it whole or damaged."""
    return any((folder / name).exists() for name in (LAST, PREVIOUS))


def holds_run(folder: Path) -> bool:
    """Whether a training run has been started in `folder`."""
    return any((folder / name).exists() for name in (LAST, PREVIOUS, BEST, "run.yaml"))


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed writer left in a run folder."""
    for leftover in folder.glob(f".*{TEMP_MARK}*"):
        leftover.unlink(missing_ok=True)


def _gather(payload: dict[str, Any]) -> dict[str, Any]:
    """The same with all small tensors in one, and their types and shapes in one text."""
    found: _Found = []

    def gathered(x: Any) -> Any:
        if isinstance(x, dict):
            return {key: gathered(value) for key, value in x.items()}
        if type(x) in (list, tuple):
            return type(x)(map(gathered, x))
        if type(x) is not Tensor or x.layout != torch.strided or x.numel() * x.element_size() > _SMALL:
            return x
        found.append((str(x.dtype), list(x.shape), x.detach().cpu().contiguous().view(-1).view(torch.uint8)))
        return {_NUMBER: len(found) - 1}

    kept = gathered(payload)
    small = torch.cat([content for *_, content in found]) if found else torch.empty(0, dtype=torch.uint8)
    told = json.dumps([[kind.removeprefix("torch."), shape] for kind, shape, _ in found])
    return kept | {"format": GATHERED, "small": small, "small_told": told}


def _scatter(payload: dict[str, Any]) -> dict[str, Any]:
    """What was gathered. Raises one of Python's errors where numbers, types and bytes do not fit each other."""
    tensors, at, small = [], 0, payload.pop("small")
    for kind, shape in json.loads(payload.pop("small_told")):
        dtype = getattr(torch, kind)
        end = at + torch.Size(shape).numel() * dtype.itemsize
        tensors.append(small[at:end].clone().view(dtype).view(shape))  # memory of its own, as if it had been loaded
        at = end

    def scattered(x: Any) -> Any:
        if isinstance(x, dict):
            return tensors[x[_NUMBER]] if _NUMBER in x else {key: scattered(value) for key, value in x.items()}
        return type(x)(map(scattered, x)) if type(x) in (list, tuple) else x

    return scattered(payload) | {"format": FORMAT}


def _write(payload: dict[str, Any], path: Path) -> None:
    torch.save({"format": FORMAT} | payload, path)
    with open(path, "rb+") as file:
        file.seek(-2, os.SEEK_END)
        file.write(struct.pack("<H", _COMMENT))
        size = file.tell()
        digest = _digest(file, size)
        file.seek(size)
        file.write(_MARK + digest)


def _check(file: BinaryIO, path: Path) -> None:
    size = file.seek(0, os.SEEK_END)
    if size < _LEAST:
        raise CheckpointError(f"{path}: damaged: only {size} bytes long")
    file.seek(size - _COMMENT)
    trailer = file.read(_COMMENT)
    if not trailer.startswith(_MARK):
        raise CheckpointError(f"{path}: truncated, or no training checkpoint: the hash at its end is missing")
    if _digest(file, size - _COMMENT) != trailer[len(_MARK) :]:
        raise CheckpointError(f"{path}: damaged: its content does not match its hash")


def _digest(file: BinaryIO, size: int) -> bytes:
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0 and (block := file.read(min(size, 1 << 20))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest().encode()


def _clone(source: Path, target: Path) -> None:
    """A second name for a file that is only ever replaced, never changed; a copy where links are not supported."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
