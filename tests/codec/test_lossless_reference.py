"""The compiled kernel and its Python twin write the same bytes and read each other's."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.codec.lossless import kernel
from hstmae.codec.lossless.coding_models import PictureModel, RowModel
from hstmae.codec.lossless.kernel import DECODE, ENCODE, PART
from hstmae.codec.lossless.probability import squash_table, stretch_table
from hstmae.codec.lossless.range_coder import Coder
from hstmae.codec.lossless.reference.backend import Reference
from hstmae.codec.lossless.scene import Scene
from hstmae.errors import CodecError

pytestmark = pytest.mark.skipif(kernel.library_path() is None, reason="needs the compiled kernel")
TWIN = Reference()


def scene_of(r: np.random.Generator, frames: int) -> Scene:
    sprites = r.integers(-9, 24, (frames, 6, 4)).astype(np.int16)
    sprites[..., 3] = r.integers(0, 8, (frames, 6)) | r.integers(0, 4, (frames, 6)) << 6
    return Scene(
        layout=np.array([[3, 4, 8], [1, 2, 4]], np.int32),
        tiles=r.integers(0, 5, (frames, 14)).astype(np.int16),
        corners=r.integers(-4, 4, (frames, 2, 2)).astype(np.int16),
        sprites=sprites,
        size=8,
        look=r.integers(0, 3, (frames, 2)).astype(np.uint32),
        hints=r.integers(0, 5, frames).astype(np.uint8),
    )


def clip(r: np.random.Generator, frames: int, height: int, width: int, colours: int) -> np.ndarray:
    """Scrolling scenery with a moving, changing patch."""
    world = r.integers(0, colours, (height, width + 8 * frames)).astype(np.uint8)
    speed = int(r.integers(-3, 4))
    start = 8 * frames if speed < 0 else 0
    out = np.stack([world[:, max(start + t * speed, 0) :][:, :width] for t in range(frames)])
    out[:, height // 2, : width // 2] = r.integers(0, colours, (frames, width // 2))
    return np.ascontiguousarray(out)


def drawn(r: np.random.Generator, frames: int, height: int, width: int) -> tuple[np.ndarray, Scene]:
    """Pictures of a game with memory: tiles that scroll, sprites that walk over them, colours that change at times;
    here and there a pixel that the memory does not tell."""
    camera = np.cumsum(r.integers(-3, 4, frames)) if r.random() < 0.7 else np.zeros(frames, int)
    look = np.cumsum(r.random((frames, 2)) < 0.2, 0).astype(np.uint32)
    tiles = np.repeat(r.integers(0, 5, (1, 27)).astype(np.int16), frames, 0)  # of the scenery, and of a text that stays
    sprites = np.zeros((frames, 2, 4), np.int16)
    sprites[..., 0] = r.integers(0, width, 2) + np.cumsum(r.integers(-1, 2, (frames, 2)), 0)
    sprites[..., 1:3] = r.integers(0, height, (1, 2, 2)) % 9
    corners = np.zeros((frames, 2, 2), np.int16)
    corners[:, 0, 0] = -camera
    looks = r.integers(0, 16, (5, 8, 8)).astype(np.uint8)
    out = np.zeros((frames, height, width), np.uint8)
    for t in range(frames):
        for y, x in np.ndindex(height, width):
            u = x + int(camera[t])
            if 0 <= u < 48 and y < 32:
                out[t, y, x] = looks[tiles[t, y // 8 * 6 + u // 8], y % 8, u % 8] + look[t, 1]
        for x in range(min(24, width)):
            out[t, 8:16, x] = looks[tiles[t, 24 + x // 8], :, x % 8][: max(height - 8, 0)] ^ 32
        for left, top, name, _ in sprites[t].tolist():
            out[t, max(top, 0) : max(top + 8, 0), max(left, 0) : max(left + 8, 0)] = name + 20
    out[r.random(out.shape) < 0.002] ^= 3
    corners[:, 1, 1] = 8
    layout = np.array([[4, 6, 8], [1, 3, 8]], np.int32)
    return out, Scene(layout, tiles, corners, sprites, 8, look, (np.diff(camera, prepend=0) + 128).astype(np.uint8))


@settings(max_examples=10, deadline=None)
@given(
    st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 18), st.integers(1, 18), st.sampled_from([2, 16, 256]),
    st.sampled_from(["nothing", "anything", "drawn"]), st.sampled_from([1, 2, 3, 4]),
)  # fmt: skip
def test_pictures(seed: int, frames: int, height: int, width: int, colours: int, known: str, version: int) -> None:
    r = np.random.default_rng(seed)
    source = clip(r, frames, height, width, colours)
    scene = scene_of(r, frames) if known == "anything" else Scene.nothing(frames)
    if known == "drawn":
        source, scene = drawn(r, frames + 2, height + 8, width + 8)
    model, fast = PictureModel.neutral(12, version), kernel.backend()
    data = fast.pictures(ENCODE, source, scene, model, b"")
    assert data == TWIN.pictures(ENCODE, source, scene, model, b"")
    for one in (fast, TWIN):
        out = np.zeros_like(source)
        one.pictures(DECODE, out, scene, model, data)
        assert np.array_equal(out, source)
        first = np.zeros_like(source[: max(1, len(source) - 1)])
        one.pictures(PART, first, scene, model, data)
        assert np.array_equal(first, source[: len(first)])
    if version == 1:
        return
    asked = r.integers(0, 2, (len(source), -(-source.shape[1] // 8), -(-source.shape[2] // 8))).astype(np.uint8)
    data = fast.blocks(ENCODE, source, asked, scene, model, b"")
    assert data == TWIN.blocks(ENCODE, source, asked, scene, model, b"")
    found = [np.zeros_like(source) for _ in range(2)]
    for one, out in zip((fast, TWIN), found, strict=True):
        one.blocks(DECODE, out, asked, scene, model, data)
    pixels = asked.repeat(8, 1).repeat(8, 2)[:, : source.shape[1], : source.shape[2]] != 0
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0][pixels], source[pixels])


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 24), st.integers(0, 2), st.sampled_from([0.02, 0.3, 1.0]),
    st.sampled_from([1, 2]),
)  # fmt: skip
def test_rows(seed: int, frames: int, size: int, sides: int, busy: float, version: int) -> None:
    r = np.random.default_rng(seed)
    rows = np.cumsum(r.integers(0, 3, (frames, size)) * (r.random((frames, size)) < busy), 0).astype(np.uint8)
    rows[:, size // 2] = rows[:, 0] * 3  # a byte that follows from another one
    side = r.integers(0, 3, (frames, sides)).astype(np.uint8)
    model, fast = RowModel.neutral(size, sides, 12, version), kernel.backend()
    if version == 2:  # order, partners and weights of a model that has learned something
        mixed = r.permutation(size).astype(np.uint16)
        partners = r.integers(0, size + sides, (3, size, 6)).astype(np.uint16)
        lines = partners[2, : -(-size // 8), :3].copy()
        own = r.integers(-(1 << 20), 1 << 20, model.own.shape).astype(np.int32) // 16
        learned = {"partners": partners[0], "first_partners": partners[1], "line_partners": lines, "own": own}
        model = replace(model, order=mixed, **learned)
    rows.flags.writeable = False  # what is encoded is left alone
    data = fast.rows(ENCODE, rows, side, model, b"")
    assert data == TWIN.rows(ENCODE, rows, side, model, b"")
    for one in (fast, TWIN):
        out = np.zeros_like(rows)
        one.rows(DECODE, out, side, model, data)
        assert np.array_equal(out, rows)
        first = np.zeros_like(rows[: (frames + 1) // 2])
        one.rows(PART, first, side, model, data)
        assert np.array_equal(first, rows[: len(first)])


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 65535)), max_size=400))
def test_range_coder_of_the_twin(bits: list[tuple[int, int]]) -> None:
    coder = Coder(ENCODE, b"")
    for bit, p in bits:
        coder.bit(bit, p)
    reader = Coder(DECODE, coder.finish())
    assert [reader.bit(0, p) for _, p in bits] == [bit for bit, _ in bits]
    reader.finish()


def test_carries_run_through_held_bytes() -> None:
    """Zeros at extreme odds push the low end up to rows of 0xFF, which a carry must then turn over."""
    bits = [(0, 65535), (0, 1), (1, 1)] * 300 + [(0, 32768)] * 64 + [(1, 1)] * 40
    coder = Coder(ENCODE, b"")
    for bit, p in bits:
        coder.bit(bit, p)
    reader = Coder(DECODE, coder.finish())
    assert [reader.bit(0, p) for _, p in bits] == [bit for bit, _ in bits]


def test_probability_tables_are_each_other_s_inverse() -> None:
    squash, stretch = squash_table().astype(int), stretch_table().astype(int)
    x = np.arange(-2000, 2001)
    assert np.all(np.diff(squash) >= 0) and squash[3072] == 32768 and squash.min() == 1 and squash.max() == 65535
    assert np.abs(stretch[squash[x + 3072]] - x).max() <= 12  # steps of a 16-bit probability near its ends


def test_random_bytes_decode_to_something_or_are_refused() -> None:
    r = np.random.default_rng(3)
    for _ in range(30):
        scene, frames = scene_of(r, 3), np.zeros((3, 17, 19), np.uint8)
        data = r.integers(0, 256, int(r.integers(0, 3000)), np.uint8).tobytes()
        try:
            kernel.backend().pictures(DECODE, frames, scene, PictureModel.neutral(10), data)
        except CodecError as error:
            assert "damaged stream" in str(error)


def test_without_the_compiled_kernel_there_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "library_path", lambda: None)
    kernel.backend.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="C compiler"):
            assert kernel.backend().name == "reference"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            kernel.backend()  # once is enough
    finally:
        kernel.backend.cache_clear()
