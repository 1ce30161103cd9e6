"""Kernel and head compiled for 64-bit ARM: the bytes and pictures that they make here, under emulation."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hstmae.bundled import SAMPLES
from hstmae.codec.lossless import kernel as codec_kernel
from hstmae.codec.session.reader import HstReader
from hstmae.portable import kernel as head_kernel

COMPILER = [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-linux-musl", "-static", "-O3", "-w", "-o"]
ZIG = "HSTMAE_ZIG"  # folder in which `pip install --target` put ziglang


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs a recorded call on an emulated processor: what it wrote."""
    folder, emulator = os.environ.get(ZIG), shutil.which("qemu-aarch64")
    if not folder or emulator is None:
        pytest.skip(f"needs qemu-aarch64 (Debian: qemu-user) and ziglang: pip install --target DIR ziglang; {ZIG}=DIR")
    root = Path(__file__).parents[2]
    build = tmp_path_factory.mktemp("aarch64")
    files = sorted((root / "hstmae" / "codec" / "lossless").glob("_*.c"))
    files += [root / "hstmae" / "models" / "fast" / "_head.c", root / "tests" / "helpers" / "replay.c"]
    program = build / "replay"
    done = subprocess.run(
        [*COMPILER, program, *files],
        env=os.environ | {"PYTHONPATH": folder}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    described = (
        subprocess.run(["readelf", "-h", program], capture_output=True, text=True) if shutil.which("readelf") else None
    )
    assert described is None or "AArch64" in described.stdout

    def run(which: int, mode: int, given: list[Any]) -> bytes:
        call = build / "call"
        call.write_bytes(struct.pack("<3i", which, mode, len(given)) + b"".join(map(written, given)))
        return subprocess.run([emulator, program, call], capture_output=True, check=True).stdout

    return run


def written(argument: Any) -> bytes:
    """An argument of a call as replay.c reads it."""
    if argument is None:
        return struct.pack("<q", -2)
    if isinstance(argument, int):
        return struct.pack("<2q", -1, argument)
    return struct.pack("<q", argument.nbytes) + argument.tobytes()


def test_decoded_bytes_are_the_same(emulated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call of the kernel in decoding the first frames of the sample session, recorded and repeated."""
    calls: list[tuple[int, int, list[Any], bytes]] = []
    run = codec_kernel.Compiled._run

    def recorded(self: Any, name: str, mode: int, array: np.ndarray, rest: list[Any], speed: int, data: bytes) -> bytes:
        buffer = np.frombuffer(data, np.uint8)
        end = [*self._maths, codec_kernel.LIMIT, speed, buffer, len(buffer)]
        before = [copied(a) for a in [array, *codec_kernel._sizes(array), *rest, *end]]
        out = run(self, name, mode, array, rest, speed, data)
        calls.append((int(name == "hst_pictures"), min(mode, codec_kernel.DECODE), before, array.tobytes()))
        return out

    monkeypatch.setattr(codec_kernel.Compiled, "_run", recorded)
    with HstReader(SAMPLES / "sample_session.hst") as reader:
        reader.read(0, range(2))
    assert {which for which, *_ in calls} == {0, 1}
    for which, mode, given, truth in calls:
        made = emulated(which, mode, given)
        assert made[8:] == truth
    assert max(len(set(truth)) for *_, truth in calls) > 8


def copied(argument: Any) -> Any:
    """An argument as it is before a call."""
    if isinstance(argument, ctypes._SimpleCData):
        return int(argument.value)
    return argument.copy() if isinstance(argument, np.ndarray) else argument


def test_drawn_pixels_are_the_same(emulated: Any) -> None:
    rng = np.random.default_rng(0)
    rows, depth, channels, width, columns, cubes = 500, 6, 8, 48, 24, 3
    head = head_kernel.Head(rng.normal(size=(width, columns)), rng.normal(size=columns), np.arange(columns))
    assert head.library is not None
    given = [
        rng.normal(size=(rows, width)), rng.integers(0, rows, (cubes, 256, depth)),
        rng.normal(size=(cubes, 256, channels)), rng.normal(size=(channels, width)), rng.normal(size=width),
        rng.normal(size=width), rng.random((columns, 4)) * 255,
    ]  # fmt: skip
    table, index, drawn, inward, scale, bias, palette = (
        np.ascontiguousarray(a, np.int32 if a.dtype == np.int64 else np.float32) for a in given
    )
    here = head(table, index, drawn, inward, scale, bias, palette)
    outputs = [np.zeros_like(a) for a in here]
    arrays = [table, index, drawn, inward, scale, bias, head.outward, head.out_bias, head.names, palette.T.copy()]
    sizes = [depth, channels, width, columns, cubes * 256, 1024, 0]
    made = emulated(2, 0, [*arrays, *outputs, *sizes])[8:]
    entry, colour, confidence = (
        np.frombuffer(part, a.dtype).reshape(a.shape)
        for a, part in zip(here, split(made, [a.nbytes for a in here]), strict=True)
    )
    assert (entry == here[0]).mean() > 0.9999
    assert np.abs(colour.astype(int) - here[1]).max() <= 1
    assert np.abs(confidence - here[2]).max() < 1e-4


def split(data: bytes, sizes: list[int]) -> list[bytes]:
    ends = np.cumsum([0, *sizes])
    assert ends[-1] == len(data)
    return [data[a:b] for a, b in pairwise(ends)]
