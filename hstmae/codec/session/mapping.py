"""Files as bytes that are read where they are needed."""

import mmap
from pathlib import Path

from ...errors import CodecError


def map_file(path: Path) -> mmap.mmap:
    """The bytes of a file. Raises OSError, and CodecError for an empty one."""
    with path.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file cannot be mapped
            raise CodecError(f"{path}: is empty") from None
