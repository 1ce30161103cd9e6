"""Masks as NumPy files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from ..errors import DataError

ARRAYS = (".npy", ".npz")
_NAMES = ("mask", "masks", "missing")


def read_array(path: Path) -> np.ndarray:
    """bool or numbers [H, W] or [T, H, W]; of an .npz its only array, or the one called mask.

    Raises:
        DataError: unreadable, of another shape, or no numbers.
    """
    where = f"mask {path}"
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded:
                names = [name for name in _NAMES if name in loaded.files] or loaded.files
                if len(names) != 1:
                    raise DataError(f"{where}: holds {', '.join(loaded.files) or 'nothing'}; call the mask 'mask'")
                array = loaded[names[0]]
        else:
            array = loaded
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{where}: cannot be read as a NumPy file ({error})") from error
    got = f"{array.dtype} {list(array.shape)}"
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: is {got}; a mask is bool, or numbers that are larger where something is missing")
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or not array.size:
        raise DataError(f"{where}: is {got}; a mask is [H, W] or [T, H, W]")
    return array
