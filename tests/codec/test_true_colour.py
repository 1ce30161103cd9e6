"""Pictures of true colour: every number of colours comes back, from the kernel and from its twin, to the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.codec.container.gop import Gop, GopShape
from hstmae.codec.lossless import kernel
from hstmae.codec.lossless.coding_models import PictureModel
from hstmae.codec.lossless.differences import decode_differences, encode_differences
from hstmae.codec.lossless.palettes import BLINKING, PALETTE, encode_palette, packed_colours, palette_of
from hstmae.codec.lossless.profile import LosslessProfile
from hstmae.codec.lossless.reference.backend import Reference
from hstmae.codec.lossless.true_colour import DIFFERENCES, PIXELS, RUNS, decode_colours, encode_colours
from hstmae.errors import CodecError

pytestmark = pytest.mark.skipif(kernel.library_path() is None, reason="needs the compiled kernel")
TWIN = Reference()


def footage(seed: int, size: tuple[int, int, int], colours: int) -> np.ndarray:
    """uint8 [T, H, W, 3]: scenery that scrolls, scenes that come back, a patch of noise, some colours seldom."""
    r = np.random.default_rng(seed)
    frames, height, width = size
    looks = r.integers(0, 256, (colours, 3)).astype(np.uint8)
    world = (r.random((height, width)) ** 4 * colours).astype(int)
    index = np.stack([np.roll(world, (t % 3) * int(r.integers(-9, 10)), int(r.integers(0, 2))) for t in range(frames)])
    index[:, : height // 3, : width // 3] = r.integers(0, colours, (frames, height // 3, width // 3))
    return np.ascontiguousarray(looks[index])


@settings(max_examples=5, deadline=None)
@given(
    st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 14), st.integers(1, 20),
    st.sampled_from([1, 2, 20, 255, 256, 257, 400, 5000]),
)  # fmt: skip
def test_kernel_and_twin_write_the_same_bytes(seed: int, frames: int, height: int, width: int, colours: int) -> None:
    source = footage(seed, (frames, height, width), colours)
    fast = kernel.backend()
    data = encode_colours(source, fast)
    assert data == encode_colours(source, TWIN)
    shape = GopShape(frames, height, width, 3, 0, 0)
    for one in (fast, TWIN):
        for count in {frames, (frames + 1) // 2}:
            assert np.array_equal(decode_colours(data, shape, one, count), source[:count])


@pytest.mark.parametrize("colours", [1, 2, 64, 65, 254, 255, 256, 257, 258, 511, 512, 2000])
def test_numbers_of_colours_at_which_something_changes(colours: int) -> None:
    looks = np.stack([np.arange(colours) * 7 % 256, np.arange(colours) // 256, np.arange(colours) % 251], -1)
    index = np.zeros((3, 48, 64), int)
    index[1].flat[:colours] = np.arange(colours)
    source = looks.astype(np.uint8)[index]
    data = encode_colours(source, kernel.backend())
    assert len(data) <= len(encode_differences(source)) + 1
    assert np.array_equal(decode_colours(data, GopShape(3, 48, 64, 3, 0, 0), kernel.backend(), 3), source)


@pytest.mark.parametrize("colours", [2, 30, 256, 300])
def test_drawn_footage_has_a_palette(colours: int) -> None:
    source = footage(4, (6, 120, 160), colours)
    data = encode_colours(source, kernel.backend(), version=4)
    assert data[0] == PALETTE and len(data) < 0.9 * len(encode_differences(source))
    assert len(encode_colours(source, kernel.backend(), version=5)) <= len(data)


@settings(max_examples=4, deadline=None)
@given(
    st.integers(0, 2**32), st.integers(1, 7), st.integers(1, 26), st.integers(1, 26), st.sampled_from([2, 20, 400]),
    st.sampled_from([PALETTE, BLINKING]),
)  # fmt: skip
def test_palettes_of_things_that_blink(
    seed: int, frames: int, height: int, width: int, colours: int, kind: int
) -> None:
    """Scenery of which blocks are there in every second picture, at times moved: kernel and twin write the same."""
    r = np.random.default_rng(seed)
    source = footage(seed, (1, height, width), colours).repeat(frames, 0)
    source[1::2, : height // 2] = footage(seed + 1, (1, height, width), colours)[:, : height // 2]
    if frames > 5:
        source[5:] = np.roll(source[5:], 1, 2)
    source[r.integers(frames), r.integers(height)] = 0
    packed, shape = packed_colours(source), GopShape(frames, height, width, 3, 0, 0)
    found = palette_of(packed)
    if found is None:
        return
    data = encode_palette(packed, found, kind, kernel.backend(), lambda share: None)
    assert data == encode_palette(packed, found, kind, TWIN, lambda share: None)
    for one in (kernel.backend(), TWIN):
        for count in {frames, (frames + 1) // 2}:
            assert np.array_equal(decode_colours(data, shape, one, count), source[:count])


@given(st.integers(0, 2**32), st.integers(2, 6), st.integers(1, 18), st.integers(1, 18), st.integers(2, 4))
@settings(max_examples=4, deadline=None)
def test_pictures_of_which_few_are_kept(seed: int, frames: int, height: int, width: int, back: int) -> None:
    r = np.random.default_rng(seed)
    source = r.integers(0, 3, (1, height, width)).astype(np.uint8).repeat(frames, 0)
    source[1::2, : height // 2 + 1] = r.integers(0, 200, (height // 2 + 1, width))
    source[r.integers(frames)] = np.roll(source[0], 1, 1)
    model, made = PictureModel.neutral(12, 5), []
    for one in (kernel.backend(), TWIN):
        painter = one.paint(kernel.ENCODE, source.shape, back, model, b"")
        for picture in source:
            painter.picture(picture.copy())
        made.append(painter.finish())
        painter.close()
        painter = one.paint(kernel.DECODE, source.shape, back, model, made[0])
        for picture in source:
            drawn = np.zeros_like(picture)
            painter.picture(drawn)
            assert np.array_equal(drawn, picture)
        painter.finish()
        painter.close()
    assert made[0] == made[1]


def test_what_blinks_and_moves_takes_less_than_before() -> None:
    sizes = {}
    for frames in (24, 48):
        source = footage(6, (1, 64, 96), 30).repeat(frames, 0)
        for t in range(0, frames, 2):
            y, x = 8 + t // 4 % 40, 10 + t % 60
            source[t, y : y + 16, x : x + 16] = source[0, :16, :16]
        for version in (4, 7):
            sizes[version, frames] = len(encode_colours(source, kernel.backend(), version=version))
    assert sizes[7, 48] - sizes[7, 24] < 0.95 * (sizes[4, 48] - sizes[4, 24])


def test_a_group_is_judged_by_more_than_its_middle() -> None:
    """A title in few colours, between textures that no palette holds."""
    r = np.random.default_rng(8)
    world = r.integers(0, 256, (200, 900, 3), np.uint8)
    source = np.stack([world[:120, 7 * t : 7 * t + 144] for t in range(30)])
    source[11:19] = world[0, 0]
    data = encode_colours(source, kernel.backend())
    assert data[0] == PIXELS and len(data) < len(encode_colours(source, kernel.backend(), version=4))


@pytest.mark.parametrize("frames", [6, 30])
def test_colours_that_no_palette_holds_come_back_from_where_they_were(frames: int) -> None:
    """A texture of thousands of colours that moves on, and at times jumps back: of a small group and of a large one."""
    r = np.random.default_rng(8)
    world = r.integers(0, 256, (60, 400, 3), np.uint8)
    source = np.stack([world[:, 7 * t % 40 + 5 * t :][:, :80] for t in range(frames)])
    data, shape = encode_colours(source, kernel.backend()), GopShape(frames, 60, 80, 3, 0, 0)
    assert data[0] == PIXELS and len(data) < len(encode_colours(source, kernel.backend(), version=4))
    for count in (frames, 1, frames - 2):
        assert np.array_equal(decode_colours(data, shape, kernel.backend(), count), source[:count])
    for broken in (data[:1], data[:1] + b"\7" + data[2:], data[:1] + b"\x17" + data[2:], data + b"x" * 20):
        with pytest.raises(CodecError, match="damaged stream"):
            decode_colours(broken, shape, kernel.backend(), frames)


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 20), st.integers(1, 20), st.integers(2, 6))
@settings(max_examples=5, deadline=None)
def test_pixels_of_kernel_and_twin(seed: int, frames: int, height: int, width: int, back: int) -> None:
    """Also where fewer pictures are kept than there are."""
    r = np.random.default_rng(seed)
    source = footage(seed, (frames, height, width), int(r.integers(1, 3000)))
    made = []
    for one in (kernel.backend(), TWIN):
        painter = one.colour(kernel.ENCODE, (frames, height, width), back, 10, b"")
        for picture in source:
            painter.picture(picture.copy())
        made.append(painter.finish())
        painter = one.colour(kernel.DECODE, (frames, height, width), back, 10, made[0])
        for picture in source:
            drawn = np.zeros_like(picture)
            painter.picture(drawn)
            assert np.array_equal(drawn, picture)
        painter.finish()
    assert made[0] == made[1]


def test_noise_has_no_palette() -> None:
    source = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3), np.uint8)
    data = encode_colours(source, kernel.backend())
    assert data[0] == DIFFERENCES
    assert np.array_equal(decode_colours(data, GopShape(2, 40, 40, 3, 0, 0), kernel.backend(), 2), source)


@pytest.mark.parametrize("way", range(4))
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=10, deadline=None)
def test_differences_of_every_way(way: int, seed: int, frames: int, height: int, width: int) -> None:
    source = footage(seed, (frames, height, width), 300)
    data, shape = encode_differences(source, ways=(way,)), GopShape(frames, height, width, 3, 0, 0)
    assert data[0] == way and np.array_equal(decode_differences(data, shape), source)
    first = GopShape(1, height, width, 3, 0, 0)
    assert np.array_equal(decode_differences(data, first, part=True), source[:1])


def days_and_nights() -> np.ndarray:
    """Drawn pictures, then the same under grey noise, then without."""
    source, r = footage(6, (64, 24, 32), 40), np.random.default_rng(7)
    noise = r.integers(0, 120, (32, 24, 32, 1))
    source[16:48] = (source[16:48] * 0.5 + noise).astype(np.uint8)
    return source


def test_drawn_and_other_frames_of_a_group_are_coded_apart() -> None:
    source, shape = days_and_nights(), GopShape(64, 24, 32, 3, 0, 0)
    data = encode_colours(source, kernel.backend(), version=4)
    assert data[:2] == bytes([RUNS, 3])
    assert encode_colours(source, kernel.backend(), version=6) == data  # of a small group
    for count in (64, 1, 15, 16, 17, 40, 48, 49):
        assert np.array_equal(decode_colours(data, shape, kernel.backend(), count), source[:count])
    for broken in (
        data[:1],
        data[:9],
        data[:-1],
        data + b"x",
        data[:1] + b"\0" + data[2:],
        data[:2] + b"\xff" + data[3:],
    ):
        with pytest.raises(CodecError, match="damaged stream"):
            decode_colours(broken, shape, kernel.backend(), 64)


def test_what_was_seen_in_an_earlier_picture_costs_little() -> None:
    """Of three pictures in turn each is where it was three pictures ago, and nowhere near in the previous one."""
    r = np.random.default_rng(5)
    scenes = r.integers(0, 40, (3, 64, 96))
    looks = r.integers(0, 256, (40, 3)).astype(np.uint8)
    once, often = (encode_colours(looks[scenes[np.arange(n) % 3]], kernel.backend()) for n in (3, 12))
    assert len(often) < 1.25 * len(once)


@pytest.mark.parametrize("colours", [5, 256, 300, 100_000])
def test_damage_is_told_or_gives_pictures_of_the_right_size(colours: int) -> None:
    gop = Gop(footage(1, (3, 16, 20), colours), None, None, None)
    profile, r = LosslessProfile(None), np.random.default_rng(2)
    stream = profile.encode(gop)["COLR"]
    told = 0
    for n in range(60):
        data = bytearray(stream)
        if n % 4 == 0:
            data = data[: int(r.integers(0, len(data)))]
        elif n % 4 == 1:
            data += bytes(int(r.integers(1, 9)))
        else:
            end = 24 if n % 4 == 2 else len(data)
            data[int(r.integers(0, end))] ^= int(r.integers(1, 256))
        try:
            assert profile.decode({"COLR": bytes(data)}, gop.shape).shape == gop.shape
        except CodecError as error:
            told += "damaged stream" in str(error)
    assert told >= 15


def test_files_of_before_are_read_and_can_still_be_made() -> None:
    gop = Gop(footage(3, (4, 12, 16), 9), None, None, None)
    old, new = LosslessProfile(None, version=2).encode(gop), LosslessProfile(None).encode(gop)
    assert set(old) == {"PICT"} and set(new) == {"COLR"}
    for streams in (old, new):
        assert np.array_equal(LosslessProfile(None).decode(streams, gop.shape).frames, gop.frames)
    with pytest.raises(CodecError, match="streams"):
        LosslessProfile(None).decode({**old, **new}, gop.shape)
