"""Steps of environments as they are put down, and as they are kept."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from hstmae.codec.container.steps import MAX_STEPS, pack_steps, unpack_steps
from hstmae.errors import CodecError, DataError
from hstmae.gym.coding import code
from hstmae.gym.spool import CLOSED, FRAME, SpoolWriter, Step, read_spool


def test_a_file_of_steps_that_is_cut_off_anywhere_gives_what_is_whole(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "s"
    writer = SpoolWriter(path, {"game": "generic", "fps": 30, "source": "x", "numbered": False})
    pictures = rng.integers(0, 3, (4, 6, 7, 3), np.uint8)
    pictures[2] = pictures[1]
    writer.begin(0, "a")
    for t, picture in enumerate(pictures):
        writer.frame(0, Step(picture, np.full(t % 2 + 1, t, np.uint8), {"reward": np.array(t / 3)}))
    writer.close()
    whole = path.read_bytes()
    for end in range(12, len(whole), 5):
        path.write_bytes(whole[:end])
        steps = [record.step for record in read_spool(path, lambda: False) if record.kind == FRAME]
        assert all(np.array_equal(step.picture, p) for step, p in zip(steps, pictures, strict=False) if step)
        left = [record.values["left"] for record in read_spool(path, lambda: False) if record.kind == CLOSED]
        assert left == [0] if end == len(whole) else 0 <= left[0] < end
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    path.write_bytes(damaged)
    frames, left_over = code(path, tmp_path / "kept.hst", keep=True)
    assert frames < len(pictures) and left_over > 20 and path.exists()
    path.write_bytes(b"something else")
    with pytest.raises(CodecError, match="no steps"):
        code(path, tmp_path / "x.hst")


def test_columns_are_packed_and_damage_is_noticed() -> None:
    rng = np.random.default_rng(0)
    columns = {
        "reward": rng.normal(size=9), "first": np.arange(9) == 0, "n": rng.integers(0, 9, 9, np.int16),
        "x y": rng.normal(size=(9, 2, 3)).astype(np.float32), "none": np.zeros((9, 0), np.uint8),
    }  # fmt: skip
    packed = pack_steps(columns)
    back = unpack_steps(packed)
    assert back.keys() == columns.keys()
    for name, column in columns.items():
        assert back[name].dtype == column.dtype and np.array_equal(back[name], column)
    for at in range(0, len(packed), 3):
        for damaged in (packed[:at], packed[:at] + bytes([packed[at] ^ 1 << at % 8]) + packed[at + 1 :]):
            try:
                unpack_steps(damaged)
            except CodecError:
                continue
    for wrong in (
        {"a": np.zeros(3), "b": np.zeros(2)},
        {"a": np.array(["x"])},
        {"a": np.zeros(MAX_STEPS + 1, bool)},
        {},
    ):
        with pytest.raises(ValueError):
            pack_steps(wrong)


def test_a_full_disk_ends_the_steps_and_not_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that is written in part would hide all that comes behind it."""
    path, step = tmp_path / "s", Step(np.ones((6, 7, 3), np.uint8), None, {"reward": np.array(1.0)})
    writer = SpoolWriter(path, {"game": "generic", "fps": 30, "source": "x", "numbered": False})
    writer.begin(0, "a")
    writer.frame(0, step)
    whole, real = path.stat().st_size, writer._file

    class Full:
        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

        def write(self, data: memoryview) -> int:
            real.write(data[:5])
            raise OSError(errno.ENOSPC, "no space left")

    writer._file = Full()  # type: ignore[assignment]
    for _ in range(2):
        with pytest.raises(OSError, match="no space"):
            writer.frame(0, step)
    writer._file = real
    writer.close()
    assert path.stat().st_size == whole
    assert code(path, tmp_path / "a.hst") == (1, 0)


def test_more_than_a_recording_holds_is_said_at_once(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "s", {})
    writer.begin(0, "a")
    for columns in ({f"c{k}": np.array(1) for k in range(65)}, {"a\nb": np.array(1)}, {"big": np.zeros(1 << 18)}):
        with pytest.raises(DataError, match="cannot be kept"):
            writer.frame(0, Step(np.ones((2, 2), np.uint8), None, columns))
