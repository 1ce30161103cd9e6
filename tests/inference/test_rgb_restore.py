"""True-colour footage: visible pixels stay bit for bit, in memory, in pictures, in films and in stores."""

import io
from fractions import Fraction

import numpy as np
import pytest
import torch
from fake_networks import ColourCopier, ColourPainter, colour_footage, colour_predictor, footage
from PIL import Image

from hstmae.data.sources.base import SourceFrame
from hstmae.data.store.recording import record_into_store
from hstmae.errors import DataError
from hstmae.games import get_game
from hstmae.games.palette import nearest_entries
from hstmae.inference.footage.opening import open_footage
from hstmae.inference.job import RestoreSummary, restore_footage
from hstmae.inference.mask_rules import MaskRules
from hstmae.inference.sinks import FolderSink
from hstmae.masks.detect import detect
from hstmae.masks.tubes import TubeSpec
from hstmae.pictures.true_colour import read_rgb_picture

PAINT = np.array([51, 102, 204], np.uint8)  # ColourPainter.COLOUR


def block(frames: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    mask = np.zeros((frames, *size), bool)
    mask[:, 3:20, 30:45] = True
    return mask


@pytest.mark.parametrize(("frames", "size"), [(1, (48, 64)), (2, (30, 50)), (17, (48, 64)), (40, (48, 64))])
def test_only_masked_pixels_change(frames: int, size: tuple[int, int]) -> None:
    clip, mask, painter = colour_footage(frames, size), block(frames, size), ColourPainter()
    result = colour_predictor(painter).restore(clip, mask)
    np.testing.assert_array_equal(result.rgb[~mask], clip[~mask])
    assert (result.rgb[mask] == PAINT).all()
    assert result.indices is None and result.confidence is None
    assert all(call["frames"].shape[2] % 16 == call["frames"].shape[3] % 16 == 0 for call in painter.calls)
    assert painter.calls[0]["size"].tolist() == [list(size)]


def test_one_picture_and_colours_beyond_the_scale() -> None:
    clip, mask = colour_footage(1)[0], block(1)[0]
    for beyond, bound in ((5.0, 255), (-5.0, 0)):
        assert (colour_predictor(ColourPainter(beyond)).restore(clip, mask).rgb[0][mask] == bound).all()


def test_masked_pixels_cannot_reach_the_model_even_if_it_cheats() -> None:
    clip, mask, game = colour_footage(20), block(20), colour_predictor(ColourCopier())
    noise = np.where(mask[..., None], colour_footage(20, seed=1), clip)
    first, second = game.restore(clip, mask).rgb, game.restore(noise, mask).rgb
    np.testing.assert_array_equal(first, second)
    assert (first[mask] == 0).all()
    painter = ColourPainter()
    for variant in (clip, noise, np.where(mask[..., None], clip, clip ^ 1)):
        colour_predictor(painter).restore(variant[:2], mask[:2])
    given = [call["frames"] for call in painter.calls]
    assert torch.equal(given[0], given[1]) and not torch.equal(given[0], given[2])


def test_memory_reaches_the_model_and_each_frame_gets_its_own() -> None:
    memory = np.zeros((20, 128), np.uint8)
    memory[:, 1] = np.arange(20)
    clip, mask = colour_footage(20), block(20)
    result = colour_predictor(ColourPainter(), "atari").restore(clip, mask, state=memory)
    for t in range(20):
        assert (result.rgb[t][mask[t]] == [0, t, 0]).all()
    told = colour_predictor(ColourPainter(), "atari").restore(clip, mask, state=memory, level="none")
    assert (told.rgb[mask] == PAINT).all()


def test_frames_that_are_only_context_are_not_drawn() -> None:
    clip, mask, painter = colour_footage(40), block(40), ColourPainter()
    wanted = np.zeros(40, bool)
    wanted[8:24] = True
    result = colour_predictor(painter).restore(clip, mask, wanted=wanted)
    assert (result.rgb[wanted][mask[wanted]] == PAINT).all() and (result.rgb[~wanted][mask[~wanted]] == 0).all()


def test_palette_games_with_a_colour_head_get_the_nearest_entries() -> None:
    palette = get_game("smb").palette
    clip, mask = footage(3), block(3)
    result = colour_predictor(ColourPainter(), "smb").restore(clip, mask)
    nearest = ((palette.astype(int) - PAINT) ** 2).sum(1).argmin()
    assert (result.rgb[mask] == PAINT).all() and (result.indices[mask] == nearest).all()
    np.testing.assert_array_equal(result.indices[~mask], clip[~mask])
    assert result.confidence is None
    assert nearest_entries(np.zeros((2, 3), np.uint8), palette, get_game("smb")).tolist() == [
        0x0F,
        0x0F,
    ]  # the black in use


def test_wrong_input_is_told() -> None:
    game, clip, mask = colour_predictor(ColourPainter()), colour_footage(2), block(2)
    for frames, hidden, reason in (
        (footage(2), mask, "true-colour footage only"),
        (clip.astype(np.float32), mask, "uint8"),
        (np.concatenate([clip, clip], -1), mask, "RGB"),
        (clip, mask[:, :-1], "mask"),
        (clip, mask[:1].repeat(3, 0), "mask"),
        (clip[:0], mask[:0], "frames"),
    ):
        with pytest.raises(DataError, match=reason):
            game.restore(frames, hidden)


def saved(pixels: np.ndarray, path, **options) -> None:
    Image.fromarray(pixels).save(path, **options)


@pytest.mark.parametrize("kind", ["rgb", "rgba", "grey", "palette", "jpeg"])
def test_pictures_of_every_kind(kind: str, tmp_path) -> None:
    clip, mask = colour_footage(1)[0], block(1)[0]
    picture = Image.fromarray(clip)
    if kind == "rgba":
        alpha = np.where(mask, 0, 200).astype(np.uint8)
        picture = Image.fromarray(np.dstack([clip, alpha]))
    elif kind != "rgb":
        picture = picture.convert({"grey": "L", "palette": "P", "jpeg": "RGB"}[kind])
    path = tmp_path / ("a.jpg" if kind == "jpeg" else "a.png")
    picture.save(path)
    read = read_rgb_picture(path)
    np.testing.assert_array_equal(
        read.rgb, np.asarray(picture.convert("RGBA"))[..., :3] if kind != "jpeg" else read.rgb
    )
    assert read.missing.sum() == (mask.sum() if kind == "rgba" else 0)
    with Image.open(io.BytesIO(read.restored(np.broadcast_to(PAINT, clip.shape), mask))) as file:
        assert file.mode == {"rgba": "RGBA", "grey": "L", "palette": "P"}.get(kind, "RGB")
        after = np.asarray(file.convert("RGBA" if kind == "rgba" else "RGB"))
    np.testing.assert_array_equal(after[..., :3][~mask], read.rgb[~mask])
    assert (after[..., :3][mask] == (98 if kind == "grey" else PAINT)).all()
    if kind == "rgba":
        assert (after[..., 3] == np.where(mask, 255, 200)).all()


def restored(path, out, masks: MaskRules, game: str = "generic", compare: bool = False, **options) -> RestoreSummary:
    summary = RestoreSummary()
    for sequence in open_footage(path, game):
        sink = FolderSink(out / sequence.name, compare=compare)
        restore_footage(colour_predictor(ColourPainter(), game), sequence, masks, "auto", sink, summary, **options)
    return summary


def test_a_folder_is_restored_in_natural_order_in_short_stretches(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    clip = colour_footage(12)
    for t, frame in enumerate(clip):
        saved(frame, tmp_path / "in" / f"frame{t}.png")
    done: list[int] = []
    summary = restored(
        tmp_path / "in", tmp_path / "out", MaskRules(tube=TubeSpec(0.5)), length=5, compare=True, note=done.extend
    )
    assert sorted(done) == list(range(12)) and summary.frames == summary.damaged_frames == 12
    for t, frame in enumerate(clip):
        after = np.asarray(Image.open(tmp_path / "out" / f"frame{t}.png"))
        changed = (after != frame).any(-1)
        assert 0.4 < changed.mean() <= 0.51 and (after[changed] == PAINT).all()
    assert len(list((tmp_path / "out" / "compare").iterdir())) == 12
    assert summary.masked == summary.known and summary.squared > 0 and summary.exact == 0


def test_a_store_with_memory_is_restored(tmp_path) -> None:
    class Recording:
        name, level, outcome, size, fps = "r", "", "cut", 6, 60.0

        def signature(self):
            return [["made", 1]]

        def frames(self, report=None, notes=None, known=()):
            for t, frame in enumerate(colour_footage(6)):
                yield SourceFrame(t + 1, frame, None, np.full(128, t, np.uint8), 0)

    store = record_into_store([Recording()], tmp_path / "store", game="atari", kind="made").store
    summary = restored(tmp_path / "store", tmp_path / "out", MaskRules(tube=TubeSpec(0.5)), "atari")
    assert summary.levels == {"full"} and store
    for t, frame in enumerate(colour_footage(6)):
        after = np.asarray(Image.open(tmp_path / "out" / "r" / f"f{t + 1:06d}.png"))
        assert (after[(after != frame).any(-1)] == t).all()


def film(path, clip: np.ndarray) -> None:
    av = pytest.importorskip("av", reason="films need PyAV: pip install 'hstmae[video]'")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = clip.shape[2], clip.shape[1], "yuv420p"
        for frame in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def test_a_film_gives_exact_pictures(tmp_path) -> None:
    film(tmp_path / "a.mp4", colour_footage(11, (46, 62)))
    (whole,) = open_footage(tmp_path / "a.mp4", "generic")
    truth = np.stack([p.rgb for p in whole.read(0, 99).pictures])
    assert len(truth) == 11 and whole.fps == 25
    summary = restored(tmp_path / "a.mp4", tmp_path / "out", MaskRules(tube=TubeSpec(0.5)), length=4)
    for t, frame in enumerate(truth):
        after = np.asarray(Image.open(tmp_path / "out" / f"f{t:06d}.png"))
        changed = (after != frame).any(-1)
        assert (after[changed] == PAINT).all() and 0.3 < changed.mean() < 0.6
    assert summary.frames == 11
    assert sorted(p.suffix for p in (tmp_path / "out").iterdir()) == [".png"] * 11


def test_films_are_read_forwards_in_overlapping_stretches_and_back(tmp_path) -> None:
    film(tmp_path / "a.mp4", colour_footage(9))
    (whole,) = open_footage(tmp_path / "a.mp4", "generic")
    truth = np.stack([p.rgb for p in whole.read(0, 9).pictures])
    for start, end in ((0, 4), (2, 7), (5, 99), (1, 3), (9, 12)):
        part = whole.read(start, end)
        assert part.frame_numbers.tolist() == list(range(start, min(end, 9)))
        assert part.files == [f"f{n:06d}.png" for n in range(start, min(end, 9))]
        for picture, n in zip(part.pictures, part.frame_numbers, strict=True):
            np.testing.assert_array_equal(picture.rgb, truth[n])


def test_inputs_that_cannot_be_restored_are_told(tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("no picture")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    for name, reason in (
        ("empty", "is an empty folder; looked for films"),
        ("text.txt", "is a text file; looked for a picture"),
        ("no", "no such"),
        ("bad.png", "is a text file"),
    ):
        with pytest.raises(DataError, match=reason):
            restored(tmp_path / name, tmp_path / "out", MaskRules(tube=TubeSpec(0.5)))
    sizes = tmp_path / "sizes"
    sizes.mkdir()
    for k, side in enumerate((32, 48)):
        saved(np.zeros((side, side, 3), np.uint8), sizes / f"{k}.png")
    with pytest.raises(DataError, match=r"1\.png: is 48x48"):
        restored(sizes, tmp_path / "out", MaskRules(tube=TubeSpec(0.5)))


def test_painted_blocks_are_found_without_a_palette() -> None:
    clip = colour_footage(3).astype(np.int32)
    packed = (clip[..., 0] << 16) | (clip[..., 1] << 8) | clip[..., 2]
    assert not detect(packed, None)[0].any()
    packed[:, 16:32, 32:64] = 0xFF00FF  # two whole blocks
    packed[:, 3:12, 5:20] = 0x00FF00  # not on the grid: somebody must name the colour
    missing, found = detect(packed, None)
    wanted = np.zeros(packed.shape, bool)
    wanted[:, 16:32, 32:64] = True
    assert found == [0xFF00FF]
    np.testing.assert_array_equal(missing, wanted)
    named, _ = detect(packed, None, 0x00FF00)
    assert named.sum() == 3 * 9 * 15
    packed[:] = 0x123456
    assert not detect(packed, None)[0].any()  # frames of one colour are scenes, not damage


def test_long_footage_takes_bounded_memory() -> None:
    made = colour_predictor(ColourPainter())
    assert made.stretch((240, 256))[0] == 256 and made.stretch((720, 1280))[0] == 64
