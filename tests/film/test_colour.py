"""Native samples and RGB: right by each matrix and range, back again, and visible pixels untouched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("av", reason="films need PyAV: pip install 'hstmae[video]'")

from hstmae.film.colour import MATRICES, Colours
from hstmae.film.layout import Layout, frame_of, layout_of, planes_of, reformatted

PLANAR = ("gray", "gray10le", "gray12le", "gray16le", "yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv410p",
          "yuv420p10le", "yuv422p12le", "yuv444p16le", "yuva420p", "yuva444p10le", "gbrp", "gbrap", "gbrp12le",
          "gbrap16le")  # fmt: skip
PACKED = ("nv12", "nv16", "nv24", "yuyv422", "uyvy422", "p010le", "rgb24", "bgr24", "rgba", "bgra", "argb", "bgr0",
          "rgb48le", "rgb48be", "rgba64le", "gray16be", "gray10be", "yuv420p10be", "ya8", "ya16le", "ya16be",
          "monob", "monow", "y210le", "x2rgb10le")  # fmt: skip


def samples(layout: Layout, size: tuple[int, int], seed: int = 0) -> tuple[np.ndarray, ...]:
    rng, count = np.random.default_rng(seed), (1 if layout.kind == "gray" else 3) + layout.alpha
    return tuple(rng.integers(0, layout.top + 1, layout.shape(k, size)).astype(layout.dtype) for k in range(count))


def by_definition(planes: tuple[np.ndarray, ...], colours: Colours) -> np.ndarray:
    """BT.601, BT.709 and BT.2020 as they are written, for samples without subsampling; float [H, W, 3]."""
    layout, full = colours.layout, colours.full
    scale = 2 ** (layout.bits - 8)
    y, u, v = (plane.astype(float) for plane in planes[:3])
    y = y / layout.top if full else (y - 16 * scale) / (219 * scale)
    u, v = ((c - 128 * scale) / (layout.top if full else 224 * scale) for c in (u, v))
    red, blue = MATRICES[colours.matrix]
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    g = (y - red * r - blue * b) / (1 - red - blue)
    return np.stack([r, g, b], -1).clip(0, 1) * 255


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("form", ["yuv444p", "yuv444p10le", "yuv444p12le", "yuv444p16le"])
def test_colours_are_those_of_the_standards(form: str, matrix: str, full: bool) -> None:
    colours = Colours(layout_of(form), matrix, full)
    planes = samples(colours.layout, (41, 67))
    assert np.abs(colours.rgb(planes) - by_definition(planes, colours)).max() < 0.51


@pytest.mark.parametrize("form", PLANAR)
@pytest.mark.parametrize("full", [False, True])
def test_rgb_comes_back_from_native_samples(form: str, full: bool) -> None:
    colours = Colours(layout_of(form), "bt709", full)
    rgb = np.random.default_rng(1).integers(0, 256, (9, 11, 1, 1, 3)).astype(np.uint8)
    rgb = np.broadcast_to(rgb, (9, 11, 4, 4, 3)).swapaxes(1, 2).reshape(36, 44, 3)  # one colour per chroma sample
    if colours.layout.kind == "gray":
        rgb = np.repeat(rgb[..., :1], 3, 2)
    error = np.abs(colours.rgb(colours.native(rgb)).astype(int) - rgb).max()
    assert error <= (0 if colours.layout.kind == "rgb" or colours.layout.bits > 10 else 2)


@settings(max_examples=60, deadline=None)
@given(form=st.sampled_from(PLANAR), height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 9),
       full=st.booleans(), share=st.sampled_from([0.02, 0.5, 0.98]), block=st.booleans())  # fmt: skip
def test_no_sample_of_a_visible_pixel_changes(
    form: str, height: int, width: int, seed: int, full: bool, share: float, block: bool
) -> None:
    rng = np.random.default_rng(seed)
    colours, size = Colours(layout_of(form), "smpte170m", full), (height, width)
    layout, planes = colours.layout, samples(colours.layout, size, seed)
    rgb, mask = rng.integers(0, 256, (*size, 3)).astype(np.uint8), rng.random(size) < share
    if block:
        mask[:] = False
        mask[height // 3 :, : 1 + width // 2] = True
    before = [plane.copy() for plane in planes]
    pasted, new = colours.pasted(planes, rgb, mask), colours.native(rgb)
    for number, (old, after, wanted) in enumerate(zip(before, pasted, new, strict=True)):
        np.testing.assert_array_equal(planes[number], old)  # what was given stays
        chroma = layout.kind == "yuv" and number in (1, 2)
        for row, column in np.ndindex(*old.shape):
            down, across = (layout.down, layout.across) if chroma else (0, 0)
            own = mask[row << down : (row + 1) << down, column << across : (column + 1) << across]
            assert after[row, column] == (wanted if own.all() else old)[row, column]
    np.testing.assert_array_equal(colours.rgb(pasted)[~mask], colours.rgb(planes)[~mask])


@pytest.mark.parametrize("size", [(2, 2), (48, 64), (39, 47)])
@pytest.mark.parametrize("form", PLANAR + PACKED)
def test_every_format_keeps_its_samples(form: str, size: tuple[int, int]) -> None:
    """Stored form -> planes -> stored form gives what was there."""
    import av

    layout = layout_of(form)
    if form in PACKED and layout.kind == "yuv":
        size = (size[0] + size[0] % 2, size[1] + size[1] % 2)  # chroma that is stored in pairs comes at even sizes
    planes = samples(layout, size)
    if form.startswith("ya"):
        planes = (planes[0], planes[0], planes[0], planes[3])
    if form.startswith("mono"):
        planes = ((planes[0] > 127).astype(np.uint8) * 255,)
    frame = frame_of(planes, layout)
    if form.startswith("ya"):  # FFmpeg has no exact way to these: written by hand
        stored = av.VideoFrame(size[1], size[0], form)
        lines = np.frombuffer(stored.planes[0], np.uint8).reshape(size[0], -1)
        both = np.stack([planes[0], planes[3]], -1).astype(layout.dtype.newbyteorder(">" if "be" in form else "<"))
        lines[:, : both[0].nbytes] = both.reshape(size[0], -1).view(np.uint8)
    elif form in PACKED:
        stored = reformatted(frame, form)
    else:
        stored = frame
    assert stored.format.name == form and layout.exact
    for kept, given_ in zip(planes_of(stored, layout), planes, strict=True):
        np.testing.assert_array_equal(kept, given_)
