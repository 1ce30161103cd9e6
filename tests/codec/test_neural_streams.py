"""The integer side of the neural profile: cells that move with the scenery, the bit coder, the walk over codes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstmae.codec.neural.bitcoder import BitCoder
from hstmae.codec.neural.grid import OUTSIDE, CellGrid
from hstmae.codec.neural.prior import EXACT, CellWalk, Code, Layout, cell_hints
from hstmae.codec.neural.thinning import read_bytes, thin
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import CodecError
from hstmae.games import get_game

SMB = get_game("smb")


def scrolled(camera: list[int], area: list[int] | None = None) -> tuple[CellGrid, np.ndarray]:
    """The grid of pictures that scroll over a random world below a fixed top, and those pictures."""
    memory = np.zeros((len(camera), 2048), np.uint8)
    memory[:, 0x71A], memory[:, 0x71C] = np.array(camera) // 256, np.array(camera) % 256
    memory[:, 0x750] = 0 if area is None else area
    state = SMB.decode(memory, None)
    world = np.random.default_rng(0).integers(0, 60, (208, 2048), dtype=np.uint8)
    top = np.random.default_rng(1).integers(0, 60, (32, 256), dtype=np.uint8)
    frames = np.stack([np.concatenate([top, world[:, c : c + 256]]) for c in camera])
    return CellGrid.of(SMB, state, len(camera), 240, 256), frames


def test_scenery_stays_in_its_cell_whatever_the_camera_does() -> None:
    grid, frames = scrolled([100, 107, 115, 120, 131, 131, 140, 147])
    before = grid.before().reshape(-1)
    cells = np.flatnonzero(before >= 0)
    now, then = grid.pixels(frames, cells), grid.pixels(frames, before[cells])
    both = (now != OUTSIDE) & (then != OUTSIDE)
    assert both.mean() > 0.8
    rows = cells % grid.per_slice // grid.cols
    assert (now[both] == then[both]).all() and set(rows) == set(range(15))
    still = CellGrid.of(SMB, None, 8, 240, 256)  # without a camera the same does not hold
    cells = np.flatnonzero(still.before().reshape(-1) >= 0)
    moved = still.pixels(frames, cells) != still.pixels(frames, still.before().reshape(-1)[cells])
    assert moved.mean() > 0.3


def test_every_pixel_lies_in_one_cell_at_its_place() -> None:
    grid, frames = scrolled([5, 14, 30, 37])
    cell, inside = grid.of_cubes(np.arange(240 * 2))
    assert (cell >= 0).all()
    cubes = frames.reshape(2, 2, 15, 16, 16, 16).transpose(2, 4, 0, 1, 3, 5).reshape(-1, 2, 16, 16)
    shown = grid.pixels(frames, np.arange(grid.slices * grid.per_slice)).reshape(-1, 512)
    assert (shown[cell, inside] == cubes).all()
    assert set(np.unique(cell)) == set(np.flatnonzero(grid.used().reshape(-1)))


def test_another_map_begins_anew() -> None:
    grid, _ = scrolled([0, 0, 0, 0], [1, 1, 2, 2])
    before = grid.before()
    assert (before[1, :2, :16] >= 0).all() and (before[1, 2:] == -1).all()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=400),
    st.lists(st.integers(1, 65535), min_size=4, max_size=4),
)
def test_bits_come_back(bits: list[tuple[int, bool]], table: list[int]) -> None:
    writer = BitCoder(table)
    for context, value in bits:
        writer.bit(context, value)
    data = writer.finish()
    reader = BitCoder(table, data)
    assert [(context, bool(reader.bit(context))) for context, _ in bits] == bits
    reader.finish()


def test_bits_cost_what_their_probability_says() -> None:
    rng = np.random.default_rng(0)
    writer = BitCoder([6554])
    for value in rng.random(20000) < 0.1:
        writer.bit(0, int(value))
    ideal = 20000 * 0.469 / 8
    assert ideal < len(writer.finish()) < 1.05 * ideal


def test_bytes_behind_the_end_are_told() -> None:
    writer = BitCoder([32768])
    writer.bit(0, 1)
    reader = BitCoder([32768], writer.finish() + b"1234567")
    reader.bit(0)
    with pytest.raises(CodecError, match="bytes more"):
        reader.finish()


LAYOUT = Layout(3, 4)
TABLE = [20000] * LAYOUT.size


def written(grid: CellGrid, hints: np.ndarray, codes: dict[int, Code], exact: bool = False) -> bytes:
    writer = BitCoder(TABLE)
    walk = CellWalk(LAYOUT, grid, hints, writer.bit, exact)
    for cell in walk.cells():
        assert walk.step(cell, codes.get(cell, ())) == codes.get(cell, ())
    return writer.finish()


def read(grid: CellGrid, hints: np.ndarray, data: bytes, exact: bool = False) -> dict[int, Code]:
    reader = BitCoder(TABLE, data)
    walk = CellWalk(LAYOUT, grid, hints, reader.bit, exact)
    for cell in walk.cells():
        walk.step(cell, None)
    reader.finish()
    return walk.codes


def some_codes(grid: CellGrid, seed: int, share: float) -> dict[int, Code]:
    """Codes of which some go on, some are used again, some are new, some end."""
    rng = np.random.default_rng(seed)
    before, codes = grid.before().reshape(-1), dict[int, Code]()
    for cell in np.flatnonzero(grid.used().reshape(-1)).tolist():
        old = codes.get(int(before[cell]), ())
        if rng.random() > share:
            code = old
        elif codes and rng.random() < 0.5:
            code = list(codes.values())[int(rng.integers(len(codes)))]
        else:
            code = tuple(int(i) for i in rng.integers(0, 16, rng.integers(0, 4)))
        if code:
            codes[cell] = code
    return codes


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.02, 0.3, 1.0]), st.sampled_from([0.0, 0.02, 0.5]))
def test_codes_come_back(seed: int, share: float, exact: float) -> None:
    grid, _ = scrolled([0, 9, 16, 30, 47, 47])
    hints = np.random.default_rng(seed).integers(0, 6, (grid.slices, grid.rows, grid.cols)).astype(np.uint8)
    codes, rng = some_codes(grid, seed, share), np.random.default_rng(seed)
    codes |= {int(cell): EXACT for cell in np.flatnonzero(grid.used().reshape(-1)) if rng.random() < exact}
    assert read(grid, hints, written(grid, hints, codes, exact > 0), exact > 0) == codes


def test_codes_that_go_on_cost_next_to_nothing() -> None:
    grid, _ = scrolled([0, 2, 3, 4, 5, 6, 7, 8])
    hints = np.zeros((grid.slices, grid.rows, grid.cols), np.uint8)
    first = {cell: (1, 2, 3) for cell in range(40, 80)}
    going = dict(first)
    for cell, before in enumerate(grid.before().reshape(-1).tolist()):
        if before in going:
            going[cell] = (1, 2, 3)
    flicker = {cell: code for cell, code in going.items() if cell // grid.per_slice % 2 == 0}
    assert len(written(grid, hints, going)) < len(written(grid, hints, flicker)) / 2


@given(st.binary(max_size=200))
def test_nonsense_is_refused_or_means_something(data: bytes) -> None:
    grid, _ = scrolled([0, 4])
    hints = np.zeros((grid.slices, grid.rows, grid.cols), np.uint8)
    try:
        codes = read(grid, hints, data)
    except CodecError:
        return
    assert all(1 <= len(code) <= 3 and max(code) < 16 for code in codes.values())


def test_hints_name_guesses_and_sprites(sample_store: EpisodeStore) -> None:
    memory = sample_store[0].state
    assert memory is not None
    state = SMB.decode(memory[:2], None)
    grid = CellGrid.of(SMB, state, 2, 240, 256)
    hints = cell_hints(SMB, state, grid)
    assert (hints[0, :2] >= 4).all() and set(np.unique(hints[0, 2:] // 2)) == {0, 1}
    assert 1 <= (hints % 2).sum() <= 4 * (state.sprites[..., 1] < 240).sum()
    assert (cell_hints(SMB, None, grid) == 4).all()


def owners(sprites: np.ndarray) -> np.ndarray:
    """Which sprite each pixel of the picture shows, by line, tile, attributes and x: int64 [248, 264], 0 = none.

    As the console does it: of each line the first eight of the list, the first of them in front.
    """
    shown = np.zeros((248, 264), np.int64)
    for y in range(248):
        on = [s for s in sprites.astype(np.int64) if s[0] < 239 and s[0] <= y < s[0] + 8][:8]
        for line, tile, attributes, x in reversed(on):
            shown[y, x : x + 8] = 1 + (line << 24 | tile << 16 | attributes << 8 | x)
    return shown


@given(st.integers(0, 2**31), st.sampled_from([0x30, 0x88, 0xD0, 0x2A, 0x10]), st.integers(8, 240), st.integers(2, 60))
def test_sprites_put_back_in_the_list_show_the_same(seed: int, place: int, spread: int, number: int) -> None:
    """Whatever lies one above the other, and however many share a line; most of few sprites far apart are put back."""
    rng = np.random.default_rng(seed)
    memory = np.zeros((2, 2048), np.uint8)
    sprites = memory[:, 0x200:0x300].reshape(2, 64, 4)
    sprites[...] = rng.integers(0, 256, sprites.shape)
    sprites[..., 0] = np.minimum(sprites[..., 0] % spread + 8, 238)
    sprites[:, rng.permutation(64)[number:], 0] = 255
    memory[:, 0x6E5] = place
    memory[:, 0x200:0x300] = sprites.reshape(2, -1)
    thinned = thin(SMB, memory, np.ones(2048, bool))[:, 0x200:0x300].reshape(2, 64, 4)
    assert all((owners(a) == owners(b)).all() for a, b in zip(sprites, thinned, strict=True))
    moved = (thinned[..., 0] < 239) != (sprites[..., 0] < 239)
    if place in (0x30, 0x2A, 0x10):  # at home, between two sprites, where nothing moves to
        assert not moved.any()


def test_sprites_that_go_round_are_put_back() -> None:
    memory = np.full((3, 2048), 255, np.uint8)
    memory[:, 0x6E5] = (0x30, 0x88, 0xD0)
    for t, place in enumerate((0x30, 0x88, 0xD0)):
        memory[t, 0x200 + place : 0x200 + place + 8] = (100, 1, 0, 50, 100, 2, 0, 58)
        memory[t, 0x204:0x208] = (30, 9, 1, 70)
    thinned = thin(SMB, memory, np.ones(2048, bool))
    assert (thinned[:, 0x200:0x300] == thinned[0, 0x200:0x300]).all()
    assert (thinned[0, 0x230:0x238] == (100, 1, 0, 50, 100, 2, 0, 58)).all()


def test_thinned_memory_shows_the_same(sample_store: EpisodeStore) -> None:
    memory = sample_store[0].state
    assert memory is not None
    kept = read_bytes(SMB, memory[::48])
    thinned = thin(SMB, memory, kept)
    numbers = np.arange(len(memory))
    whole = SMB.decode_for_coding(memory, SMB.context(memory, numbers))
    less = SMB.decode_for_coding(thinned, SMB.context(thinned, numbers))
    for name in ("tiles", "tile_xy"):
        assert all((a == b).all() for a, b in zip(getattr(whole, name), getattr(less, name), strict=True))
    for name in ("globals", "camera", "area", "token_valid", "boxes"):
        assert (getattr(whole, name) == getattr(less, name)).all(), name
    valid = whole.token_valid
    assert (whole.tokens[valid] == less.tokens[valid]).all() and (whole.token_xy[valid] == less.token_xy[valid]).all()
    lists = [m[::6, 0x200:0x300].reshape(-1, 64, 4) for m in (memory, thinned)]
    assert all((owners(a) == owners(b)).all() for a, b in zip(*lists, strict=True))
    assert 400 < kept.sum() < 1100 and (thinned[:, ~kept] == 0).all()
    changes = [(m[1:] != m[:-1]).sum() for m in (memory, thinned)]
    assert changes[1] < 0.7 * changes[0]
