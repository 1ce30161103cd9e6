"""Restoring the pictures of emulators: whatever form they have, they come back in it."""

from __future__ import annotations

import io
from pathlib import Path

import fceux_files as fceux
import numpy as np
import pytest
from PIL import Image

from hstmae.data.sources.pictures import read_entries
from hstmae.data.sources.smb.tail import read_metadata
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.data.store.writer import Packing
from hstmae.errors import DataError
from hstmae.games import get_game
from hstmae.inference.footage.opening import open_footage
from hstmae.pictures.indexed import decode_picture, table_of

GAME = get_game("smb")
FRAMES = fceux.sample(6)


def colours(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.array(picture.convert("RGBA"))


@pytest.mark.parametrize("lines", [slice(None), fceux.LINES], ids=["240", "224"])
@pytest.mark.parametrize("table", fceux.TABLES)
@pytest.mark.parametrize("form", fceux.FORMS)
def test_the_truth_restored_is_the_file_as_it_was(form: str, table: str, lines: slice) -> None:
    for name, pixels, tail in FRAMES[::5]:
        data = fceux.FORMS[form](pixels[lines], fceux.TABLES[table]) + tail
        picture = decode_picture(data, GAME, name)
        np.testing.assert_array_equal(picture.indices, pixels[lines])
        mask = np.random.default_rng(1).random(picture.size) < 0.5
        made = picture.restored(picture.indices.astype(np.uint8), mask)
        np.testing.assert_array_equal(colours(made), colours(data))
        assert made.endswith(tail)
        again = decode_picture(made, GAME, name)
        np.testing.assert_array_equal(again.native.samples, picture.native.samples)
        assert GAME.corner_of(again.pixels) == ((0, 0) if lines.start is None else (8, 0))


def test_restored_pixels_have_the_colours_of_the_file_where_it_shows_them() -> None:
    """RGB that lost its last bits: the file's own colours are written, not those of the table they are known by."""
    _, pixels, _ = FRAMES[0]
    coarse = fceux.FCEUX >> 3 << 3
    data = fceux.rgb(pixels, coarse)
    picture = decode_picture(data, GAME, "x")
    np.testing.assert_array_equal(picture.palette, fceux.FCEUX)
    made = picture.restored(pixels, np.ones(pixels.shape, bool))
    np.testing.assert_array_equal(colours(made), colours(data))


def test_notes_and_depth_of_a_palette_picture_are_kept() -> None:
    from PIL.PngImagePlugin import PngInfo

    _, pixels, _ = FRAMES[0]
    notes = PngInfo()
    notes.add_text("Comment", "level 1-1")
    with Image.open(io.BytesIO(fceux.small(pixels, fceux.FCEUX))) as small:
        file = io.BytesIO()
        small.save(file, format="PNG", pnginfo=notes, dpi=(96, 96), gamma=0.45)
    picture = decode_picture(file.getvalue(), GAME, "x")
    made = picture.restored(pixels, np.ones(pixels.shape, bool))
    with Image.open(io.BytesIO(made)) as again:
        assert again.info["Comment"] == "level 1-1" and round(again.info["dpi"][0]) == 96
    assert made[24] == file.getvalue()[24]  # bits an entry


def test_a_dark_screen_is_known_by_the_other_pictures(tmp_path: Path) -> None:
    dark = np.full((240, 256), 0x0F, np.uint8)
    for table in fceux.TABLES.values():
        shown = [("0.png", dark), ("1.png", dark), *((f"{2 + k}.png", p) for k, (_, p, _) in enumerate(FRAMES))]
        folder = fceux.write(tmp_path / str(id(table)), ((name, fceux.rgb(pixels, table)) for name, pixels in shown))
        (footage,) = open_footage(folder, "smb")
        stretch = footage.read(0, 8)
        for picture, (_, pixels) in zip(stretch.pictures, shown, strict=True):
            np.testing.assert_array_equal(picture.palette, table)  # type: ignore[arg-type]
            np.testing.assert_array_equal(picture.pixels, pixels)
        np.testing.assert_array_equal(table_of([folder / "0.png", folder / "3.png"], GAME), table)  # type: ignore[arg-type]


def test_colours_that_mean_other_entries_by_each_palette_are_refused() -> None:
    palette = np.array([[0, 0, 0], [200, 0, 0], [0, 200, 0], [0, 0, 200]], np.uint8)
    swapped = np.array([[0, 0, 0], [0, 200, 0], [200, 0, 0], [90, 90, 90]], np.uint8)

    class TwoTables(type(GAME)):  # type: ignore[misc]
        pass

    game = TwoTables()
    for name, value in (("palette", palette), ("other_palettes", (swapped,)), ("preferred_entries", ()),
                        ("shown_entries", ()), ("emulator_entry", 0)):  # fmt: skip
        setattr(TwoTables, name, value)
    with pytest.raises(DataError, match="several emulators' palettes"):
        decode_picture(_filled((200, 0, 0), (0, 200, 0)), game, "x.png")
    for told, entries in (((0, 0, 200), [1, 2, 3]), ((90, 90, 90), [2, 1, 3])):
        picture = decode_picture(_filled((200, 0, 0), (0, 200, 0), told), game, "x.png")
        assert picture.indices[0].tolist() == entries
    unclear = _filled((200, 0, 0), (0, 200, 0))
    assert decode_picture(unclear, game, "x.png", swapped).indices[0].tolist() == [2, 1]
    assert (decode_picture(_filled((0, 0, 0)), game, "x.png").indices == 0).all()


def _filled(*shown: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.array([shown] * 4, np.uint8)).save(file, format="PNG")
    return file.getvalue()


def test_a_cut_picture_alone_and_in_a_folder(tmp_path: Path) -> None:
    files = [(name, fceux.indexed(pixels[fceux.LINES], fceux.FCEUX) + tail) for name, pixels, tail in FRAMES]
    folder = fceux.write(tmp_path / "in", files)
    for path in (folder, folder / files[0][0]):
        (footage,) = open_footage(path, "smb")
        stretch = footage.read(0, 1)
        assert stretch.corner == (8, 0) and stretch.pictures[0].size == (224, 256) and footage.has_state


def test_a_store_of_cut_pictures_is_restored_in_its_place(tmp_path: Path) -> None:
    files = [(name, fceux.indexed(pixels[fceux.LINES], fceux.FCEUX) + tail) for name, pixels, tail in FRAMES]
    fceux.write(tmp_path / "in", files)
    preprocess(tmp_path / "in", tmp_path / "store", workers=1, packing=Packing(level=1))
    (footage,) = open_footage(tmp_path / "store", "smb")
    assert footage.read(0, 2).corner == (8, 0)


def test_several_episodes_in_one_folder_are_restored_apart(tmp_path: Path) -> None:
    other = [(name.replace("_e0_", "_e1_"), pixels, tail) for name, pixels, tail in FRAMES[:4]]
    literal = [("data\\x\\" + name, pixels, tail) for name, pixels, tail in other]
    files = ((name, fceux.indexed(pixels, fceux.FCEUX) + tail) for name, pixels, tail in [*FRAMES, *literal])
    found = {footage.name: footage.count for footage in open_footage(fceux.write(tmp_path / "in", files), "smb")}
    assert sorted(found.values()) == [4, 6] and len(found) == 2


@pytest.mark.parametrize("lines", [slice(None), fceux.LINES], ids=["240", "224"])
def test_screenshots_without_memory_make_a_store(tmp_path: Path, lines: slice) -> None:
    for form in ("rgb", "base 128", "few colours"):
        make, table = fceux.FORMS[form], fceux.TABLES["fceux 2.3"]
        files = ((f"shot-{k}.png", make(pixels[lines], table)) for k, (_, pixels, _) in enumerate(FRAMES))
        fceux.write(tmp_path / form / "in", files)
        summary = preprocess(tmp_path / form / "in", tmp_path / form / "out", game="smb", workers=1)
        (info,) = EpisodeStore(tmp_path / form / "out").infos()
        assert (summary.left_out, info.frames, info.has_state) == (0, len(FRAMES), False)
        assert info.corner == ((0, 0) if lines.start is None else (8, 0))
        episode = EpisodeStore(tmp_path / form / "out")[0]
        used = np.unique(episode.frames)
        np.testing.assert_array_equal(episode.frames, np.stack([pixels[lines] for _, pixels, _ in FRAMES]))
        np.testing.assert_array_equal(episode.palette[used], table[used])  # type: ignore[index]


def test_transparent_screenshots_are_no_truth(tmp_path: Path) -> None:
    _, pixels, _ = FRAMES[0]
    clear = np.dstack([fceux.FCEUX[pixels], np.where(pixels == 0x0F, 0, 255).astype(np.uint8)])
    Image.fromarray(clear).save(tmp_path / "x.png")
    with pytest.raises(DataError, match="transparent"):
        read_entries(tmp_path / "x.png", GAME)


@pytest.mark.parametrize("bare", [[], [5], [3, 4, 5], [0, 3], [1, 2, 3, 4, 5]])
@pytest.mark.parametrize("cut", [False, True], ids=["no tail", "half a tail"])
def test_pictures_without_memory_among_others(tmp_path: Path, bare: list[int], cut: bool) -> None:
    """What a killed recording leaves: those that have memory are restored with it, the others without."""
    files = []
    for k, (name, pixels, tail) in enumerate(FRAMES):
        after = tail if k not in bare else tail[: len(tail) // 2 if cut else 0]
        files.append((name, fceux.indexed(pixels, fceux.FCEUX) + after))
    (footage,) = open_footage(fceux.write(tmp_path / "in", files), "smb", lag=0)
    stretch = footage.read(0, 6)
    assert footage.has_state and len(stretch.pictures) == 6 and stretch.state is not None
    assert (stretch.told is None) == (not bare)
    if bare:
        assert np.flatnonzero(~stretch.told).tolist() == bare  # type: ignore[operator]
    for k, (_, _, tail) in enumerate(FRAMES):
        if k not in bare:
            assert stretch.state[k].tobytes() == read_metadata(tail).ram
    remarks = getattr(footage, "remarks", [])
    assert remarks == ([f"{len(bare)} pictures: what is appended to them is no memory of the game: restored without"]
                       if bare and cut else [])  # fmt: skip


def test_what_is_no_memory_at_all_is_refused(tmp_path: Path) -> None:
    files = [(name, fceux.indexed(pixels, fceux.FCEUX) + b"something else") for name, pixels, _ in FRAMES]
    with pytest.raises(DataError, match=r"no memory of the game.*--state none"):
        list(open_footage(fceux.write(tmp_path / "in", files), "smb"))
    assert [footage.has_state for footage in open_footage(tmp_path / "in", "smb", with_state=False)] == [False]
