"""Files of what the lossless coder knows before it starts: written by pretraining, bundled with the package."""

import hashlib
import json
import lzma
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic import write_bytes
from ...errors import CodecError
from .coding_models import UNTAUGHT, VERSION, Hashed, PictureModel, RowModel

MAGICS = {1: b"HSTTABLE1\n", 2: b"HSTTABLE2\n", 3: b"HSTTABLE3\n"}  # by the version of the streams
MAGIC_BYTES = 10
LARGEST = 64 << 20  # bytes unpacked
FOLDER = Path(__file__).with_name("tables")


@dataclass(frozen=True)
class Tables:
    """What coding starts from. `sha256` is that of the file (of the word "neutral" where there is no file)."""

    name: str
    sha256: str
    state: RowModel | None
    actions: RowModel | None
    pictures: PictureModel

    def state_model(self, rows: np.ndarray, side: np.ndarray) -> RowModel:
        """For memory uint8 [T, S] with controllers uint8 [T, A]; neutral where the tables are of other rows."""
        return self.fitting(self.state, rows.shape[1], side.shape[1])

    def action_model(self, rows: np.ndarray) -> RowModel:
        """For controllers uint8 [T, A], likewise."""
        return self.fitting(self.actions, rows.shape[1], 0)

    def fitting(self, model: RowModel | None, size: int, side: int) -> RowModel:
        """`model` where it is one of such rows, else a neutral one."""
        if model is not None and len(model.start) == size and int(model.partners.max()) < size + side:
            return model
        return RowModel.neutral(size, side, version=min(self.pictures.version, VERSION))


def save_tables(path: Path, name: str, state: RowModel, actions: RowModel, pictures: PictureModel) -> None:
    """Write a file; the same models give the same bytes."""
    arrays: dict[str, np.ndarray] = {}
    for part, model in (("state", state), ("actions", actions), ("pictures", pictures)):
        for field in fields(model):
            value = getattr(model, field.name)
            if value is None or field.name == "version":  # which the file's first bytes say
                continue
            if isinstance(value, Hashed):
                arrays.update(_pack_hashed(f"{part}.{field.name}", value))
            else:
                arrays[f"{part}.{field.name}"] = value
    index = [(key, a.dtype.str, a.shape) for key, a in arrays.items()]
    header = json.dumps({"name": name, "arrays": index}).encode() + b"\n"
    planes = [a.reshape(-1).view(np.uint8).reshape(-1, a.itemsize).T.tobytes() for a in arrays.values()]
    packed = lzma.compress(header + b"".join(planes), preset=9 | lzma.PRESET_EXTREME)
    write_bytes(path, MAGICS[pictures.version] + packed)


def _pack_hashed(key: str, h: Hashed) -> dict[str, np.ndarray]:
    gap = np.diff(h.at.astype(np.int64), prepend=0)
    return {f"{key}:bits": np.array([h.bits], np.int32), f"{key}:gap": gap.astype(np.uint32), f"{key}:value": h.value}


@lru_cache(maxsize=8)
def load_tables(path: Path) -> Tables:
    """Raises CodecError: no such file, or it is damaged."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CodecError(f"{path}: tables of the lossless codec cannot be read ({error.strerror})") from None
    version = {magic: version for version, magic in MAGICS.items()}.get(data[:MAGIC_BYTES])
    if version is None:
        raise CodecError(f"{path}: no tables of the lossless codec, or of another version")
    try:
        raw = lzma.LZMADecompressor(memlimit=1 << 30).decompress(data[MAGIC_BYTES:], LARGEST)
        header, _, rest = raw.partition(b"\n")
        index = json.loads(header)
        arrays, at = {}, 0
        for key, kind, shape in index["arrays"]:
            dtype = np.dtype(kind)
            size = int(np.prod(shape)) * dtype.itemsize
            planes = np.frombuffer(rest, np.uint8, size, at).reshape(dtype.itemsize, -1)
            arrays[key] = np.ascontiguousarray(planes.T).reshape(-1).view(dtype).reshape(shape)
            at += size
        state, actions = (RowModel(**_parts(RowModel, part, arrays, version)) for part in ("state", "actions"))
        pictures = PictureModel(**_parts(PictureModel, "pictures", arrays, version))
    except (lzma.LZMAError, ValueError, KeyError, TypeError) as error:
        raise CodecError(f"{path}: damaged tables of the lossless codec ({error}); install the package again") from None
    return Tables(str(index["name"]), hashlib.sha256(data).hexdigest(), state, actions, pictures)


def _parts(
    model: type[RowModel] | type[PictureModel], part: str, arrays: dict[str, np.ndarray], version: int
) -> dict[str, Any]:
    """Without what an earlier version does not have."""
    known = {key.partition(":")[0] for key in arrays}
    stated = [f.name for f in fields(model) if f.default is MISSING or f"{part}.{f.name}" in known]
    return {name: version if name == "version" else _take(arrays, f"{part}.{name}") for name in stated}


def _take(arrays: dict[str, np.ndarray], key: str) -> np.ndarray | Hashed:
    if key in arrays:
        return arrays[key]
    bits = int(arrays[f"{key}:bits"][0])
    at = np.cumsum(arrays[f"{key}:gap"].astype(np.int64))
    if not 8 <= bits <= 24 or (len(at) and at[-1] >= 1 << bits):
        raise ValueError("entries outside of their table")
    return Hashed(bits, at.astype(np.uint32), arrays[f"{key}:value"])


def tables_for(game: str | None, path: Path | None = None, version: int = UNTAUGHT) -> Tables:
    """The tables at `path`, else those bundled for a game and a version, else a neutral start."""
    if path is not None:
        return load_tables(Path(path))
    bundled = FOLDER / (f"{game}.tables" if version >= VERSION else f"{game}-{version}.tables")
    if game and game.isidentifier() and bundled.is_file():
        return load_tables(bundled)
    return neutral_tables(version)


def neutral_tables(version: int = UNTAUGHT) -> Tables:
    """A start that knows nothing of a game."""
    name = f"neutral-{version}"
    model = PictureModel.neutral(version=version)
    return Tables(name, hashlib.sha256(name.encode()).hexdigest(), None, None, model)
