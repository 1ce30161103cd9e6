import io
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from hstmae.errors import DataError, UsageError
from hstmae.games import get_game
from hstmae.games.palette import colour_table, pack_rgb, to_indices
from hstmae.masks.detect import detect
from hstmae.masks.growing import dilate
from hstmae.masks.meaning import parse_colour
from hstmae.masks.tubes import TubeSpec, numbered_tube, parse_tube, tube_mask
from hstmae.pictures.indexed import require_known

PALETTE = get_game("smb").palette
SKY, BLACK, MAGENTA = 0x22, 0x0F, 0xFF00FF


def scene(frames: int = 2) -> np.ndarray:
    """A sky with noisy ground and a cloud whose border follows no block: palette indices [T, 64, 96]."""
    rng = np.random.default_rng(0)
    clip = np.full((frames, 64, 96), SKY, np.uint8)
    clip[:, 40:] = rng.choice([0x17, 0x27, BLACK, SKY], (frames, 24, 96))
    y, x = np.indices((64, 96))
    clip[:, (y - 20) ** 2 + (x - 50) ** 2 < 150] = 0x30
    return clip


def colours(clip: np.ndarray) -> np.ndarray:
    return pack_rgb(PALETTE[clip])


def test_tube_specs() -> None:
    assert parse_tube("tube:0.9") == TubeSpec(0.9, 0)
    assert parse_tube("tube:0.95:12") == TubeSpec(0.95, 12)
    assert parse_tube("mask.png") is None
    for bad in ("tube", "tube:", "tube:1.5", "tube:0", "tube:0.9:x", "tube:nan", "tube:e"):
        with pytest.raises(UsageError, match="tube:RATIO"):
            parse_tube(bad)


def test_tube_mask_hides_the_exact_share_of_whole_positions() -> None:
    mask = tube_mask((240, 256), TubeSpec(0.9, 3))
    blocks = mask.reshape(15, 16, 16, 16).transpose(0, 2, 1, 3).reshape(240, -1)
    assert (blocks.all(1) | ~blocks.any(1)).all() and blocks.all(1).sum() == 216
    np.testing.assert_array_equal(mask, tube_mask((240, 256), TubeSpec(0.9, 3)))
    assert (mask != tube_mask((240, 256), TubeSpec(0.9, 4))).any()
    assert tube_mask((50, 37), TubeSpec(0.5)).shape == (50, 37)


def test_undamaged_footage_is_left_alone() -> None:
    mask, found = detect(colours(scene()), PALETTE)
    assert not mask.any() and found == []


def test_a_frame_of_one_colour_is_left_alone() -> None:
    clip = np.full((1, 32, 32), BLACK, np.uint8)
    assert not detect(colours(clip), PALETTE)[0].any()
    assert not detect(colours(clip), PALETTE, fill=0)[0].any()


def test_foreign_rectangles_anywhere_are_found_exactly() -> None:
    picture = colours(scene(1))
    picture[0, 5:30, 11:47] = MAGENTA
    picture[0, 50, 60] = 0x010203  # a single stray pixel is no rectangle
    mask, found = detect(picture, PALETTE)
    expected = np.zeros((1, 64, 96), bool)
    expected[0, 5:30, 11:47] = True
    np.testing.assert_array_equal(mask, expected)
    assert found == [MAGENTA]


def test_aligned_blocks_in_a_colour_of_the_game_are_found() -> None:
    clip = scene(2)
    tube = tube_mask((64, 96), TubeSpec(0.7, 1))
    clip[:, tube] = 0x14  # a colour the palette has, but the scene does not
    mask, found = detect(colours(clip), PALETTE)
    np.testing.assert_array_equal(mask, np.broadcast_to(tube, mask.shape))
    assert len(found) == 1


def test_a_stated_fill_colour_needs_no_guessing() -> None:
    clip = scene(1)
    clip[0, 3:14, 70:83] = BLACK  # 11 x 13, off the grid, in a colour that the ground uses too
    assert not detect(colours(clip), PALETTE)[0].any()
    mask, _ = detect(colours(clip), PALETTE, fill=parse_colour("#000000"))
    assert mask[0, 3:14, 70:83].all() and mask.sum() == 11 * 13
    with pytest.raises(UsageError):
        parse_colour("black")


def test_colours_map_exactly_or_not_at_all() -> None:
    clip = scene(1)
    nothing = np.zeros(clip.shape, bool)
    table = colour_table(PALETTE, get_game("smb"))
    np.testing.assert_array_equal(to_indices(colours(clip), table), clip)  # black is 0x0F and white 0x30, not a twin
    packed = colours(clip)
    packed[0, 0, 0] = 0x010203
    entries = to_indices(packed, table)
    with pytest.raises(DataError, match=r"x\.png: 1 visible pixels .*#010203"):
        require_known(entries, packed, nothing, "smb", "x.png")
    masked = nothing.copy()
    masked[0, 0, 0] = True
    assert require_known(entries, packed, masked, "smb", "x.png")[0, 0, 0] == 0


def test_fillings_of_true_colour_footage_are_found_by_their_blocks() -> None:
    rng = np.random.default_rng(5)
    frames = pack_rgb(rng.integers(0, 256, (2, 64, 80, 3), dtype=np.uint8))
    frames[:, 0:16, 0:16] = 0x123456  # a colour that fills this block ...
    frames[0, 32:48, 16:48] = 0x00FF00  # ... and one that fills two, in one frame
    missing, found = detect(frames, None)
    expected = np.zeros(frames.shape, bool)
    expected[:, 0:16, 0:16] = expected[0, 32:48, 16:48] = True
    assert np.array_equal(missing, expected) and found == [0x00FF00, 0x123456]
    frames[1, 50:60, 50:60] = 0x00FF00  # now much of that colour lies elsewhere: it is a part of the footage
    missing, found = detect(frames, None)
    assert found == [0x123456] and not missing[0, 32:48, 16:48].any()


def test_a_stated_fill_is_named_only_where_it_is_found() -> None:
    frames = np.arange(2 * 20 * 20).reshape(2, 20, 20).astype(np.int32)
    assert detect(frames, None, 0xFF0000)[1] == []
    frames[0, 4:12, 4:12] = 0xFF0000
    missing, found = detect(frames, None, 0xFF0000)
    assert found == [0xFF0000] and missing.sum() == 64
    assert detect(frames[:, :7, :7], None, 0xFF0000)[1] == []  # smaller than any rectangle that counts


def test_numbered_tubes_cover_every_frame_and_hide_something() -> None:
    mask = numbered_tube((3, 32, 48), 0.5, 1, 2)
    assert mask.shape == (3, 32, 48) and mask.sum() == 3 * 3 * 256
    with pytest.raises(UsageError, match="hides none"):
        numbered_tube((3, 32, 48), 0.01, 1, 2)


def compressed(frames: np.ndarray, codec: str) -> np.ndarray:
    """uint8 [T, H, W, 3] after JPEG at this quality, or x264 at this constant rate factor."""
    name, quality = codec.split()
    if name == "jpeg":
        made = []
        for frame in frames:
            file = io.BytesIO()
            Image.fromarray(frame).save(file, "JPEG", quality=int(quality))
            made.append(np.asarray(Image.open(file)))
        return np.stack(made)
    av = pytest.importorskip("av")
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
    encoder.time_base, encoder.options = Fraction(1, 30), {"crf": quality}
    decoder = av.CodecContext.create("h264", "r")
    packets = []
    for frame in frames:
        packets += encoder.encode(av.VideoFrame.from_ndarray(frame, format="rgb24"))
    packets += [*encoder.encode(), None]
    return np.stack([f.to_ndarray(format="rgb24") for packet in packets for f in decoder.decode(packet)])


def landscape(frames: int = 6) -> np.ndarray:
    """A sky that gets brighter, ground with structure, a plain disc that moves; grain over all."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:96, 0:160].astype(np.float32)
    sky = np.stack([90 + y * 0.5, 140 + y * 0.4, 215 + y * 0.2], -1)
    ground = np.array([70, 95, 40]) + 25 * np.sin(x / 5)[..., None] * np.cos(y / 3)[..., None]
    made = []
    for t in range(frames):
        frame = np.where((y > 55 + 6 * np.sin(x / 17))[..., None], ground, sky)
        frame[(y - 30) ** 2 + (x - 40 - 4 * t) ** 2 < 400] = (200, 40, 30)
        made.append((frame + rng.normal(0, 2, frame.shape)).clip(0, 255).round().astype(np.uint8))
    return np.stack(made)


LOSSY = ["crf 18", "crf 23", "crf 28", "jpeg 75", "jpeg 92"]
FILLS = [0xFF00FF, 0x00FF00, 0x000000, 0x808080]


def painted(clip: np.ndarray, mask: np.ndarray, fill: int) -> np.ndarray:
    return np.where(mask[..., None], np.array([fill >> 16, fill >> 8 & 255, fill & 255], np.uint8), clip)


@pytest.mark.parametrize("codec", LOSSY)
@pytest.mark.parametrize("fill", FILLS)
def test_what_was_painted_is_found_after_compression(codec, fill) -> None:
    clip = landscape()
    blocks = np.broadcast_to(tube_mask(clip.shape[1:3], TubeSpec(0.25, 3)), clip.shape[:3])
    found, colours = detect(pack_rgb(compressed(painted(clip, blocks, fill), codec)), None)
    assert found[blocks].mean() > 0.98 and not found[~dilate(blocks, 3)].any() and len(colours) == 1
    logo = np.zeros(clip.shape[:3], bool)
    logo[:, 9:25, 101:147] = True
    logo[2:5, 41:52, 13:90] = True
    found, colours = detect(pack_rgb(compressed(painted(clip, logo, fill), codec)), None, fill)
    assert (
        found[logo].mean() > (0.9 if codec == "crf 28" else 0.98)
        and not found[~dilate(logo, 3)].any()
        and colours == [fill]
    )


@pytest.mark.parametrize("codec", LOSSY)
def test_compressed_footage_that_nobody_painted_is_left_alone(codec) -> None:
    clip = landscape()
    bars = clip.copy()
    bars[:, :16] = bars[:, -16:] = 0  # of a film that is wider than its frame
    panel = clip.copy()
    panel[:, 72:] = (30, 30, 60)
    panel[:, 80:86, 20:70] = 255
    game = PALETTE[np.concatenate([scene(2)] * 3)].repeat(2, 1).repeat(2, 2)  # 2x: all its edges lie on even pixels
    for frames in (clip, bars, panel, game):
        packed = pack_rgb(compressed(frames, codec))
        assert not detect(packed, None)[0].any()
        assert not detect(packed, None, 0xFF00FF)[0].any()


def test_uncompressed_footage_needs_no_tolerance() -> None:
    """Exactly the painted pixels, and none of the rim, where colours are those that were painted."""
    clip = landscape(2)
    logo = np.zeros(clip.shape[:3], bool)
    logo[:, 9:25, 101:147] = True
    for tolerance in (0, 16):
        found, _ = detect(pack_rgb(painted(clip, logo, 0xFF00FF)), None, 0xFF00FF, tolerance)
        np.testing.assert_array_equal(found, logo)
    near = painted(clip, logo, 0xFA05F4)
    assert detect(pack_rgb(near), None, 0xFF00FF, 16)[0][logo].all()
    assert not detect(pack_rgb(near), None, 0xFF00FF, 8)[0].any()


def test_plain_sky_of_jpeg_pictures_beside_painted_blocks_is_left_alone() -> None:
    """Its whole blocks are of exactly one colour, and end abruptly where painted ones begin."""
    clip = PALETTE[scene(2)[:, 3:]].repeat(2, 1).repeat(2, 2)
    mask = np.broadcast_to(tube_mask(clip.shape[1:3], TubeSpec(0.3, 3)), clip.shape[:3])
    found, colours = detect(pack_rgb(compressed(painted(clip, mask, MAGENTA), "jpeg 75")), None)
    assert found[mask].mean() > 0.98 and not found[~dilate(mask, 3)].any() and len(colours) == 1
