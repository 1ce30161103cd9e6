"""Which masks belong to which frames: by name, stem, number or order, in folders, pictures with pages and arrays."""

import numpy as np
import pytest
from PIL import Image

from hstmae.errors import DataError
from hstmae.masks.frames import Frames
from hstmae.masks.meaning import Reading
from hstmae.masks.sources import Sources, locate

SIZE = (8, 12)
COUNT = 6


def mask_of(t: int) -> np.ndarray:
    """A mask that tells which frame it is of: column t is missing."""
    mask = np.zeros(SIZE, bool)
    mask[:, t] = True
    return mask


def picture(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(mask.astype(np.uint8) * 255)


def save(folder, names: list[str], first: int = 0):
    folder.mkdir(parents=True, exist_ok=True)
    for t, name in enumerate(names, first):
        picture(mask_of(t)).save(folder / name)
    return folder


def frames(files=None, name: str = "", place: str = "in/film.mp4", count: int = COUNT) -> Frames:
    return Frames(name, place, SIZE, count, files)


def opened(path, footage: Frames, partial: bool = False):
    source, notes = Sources(Reading(), partial).open(path, footage)
    return source, "\n".join(notes)


def check_frames(source, expected=range(COUNT)) -> None:
    wanted = np.stack([np.zeros(SIZE, bool) if t is None else mask_of(t) for t in expected])
    np.testing.assert_array_equal(source.of(0, COUNT), wanted)
    np.testing.assert_array_equal(source.of(2, 3), wanted[2:5])


def numbered(pattern: str, first: int = 0) -> list[str]:
    return [pattern.format(t) for t in range(first, first + COUNT)]


PAIRS = {  # names of the frames' files (None: a film), of the masks
    "same names": (numbered("x{}.png"), numbered("x{}.png")),
    "other endings": (numbered("{:04}.png"), numbered("{:04}.bmp")),
    "words": (["ape.png", "bee.png", "cow.png", "dog.png", "elk.png", "fox.png"],
              ["ape.gif", "bee.gif", "cow.gif", "dog.gif", "elk.gif", "fox.gif"]),
    "word behind": (numbered("{:04}.png"), numbered("{:04}_mask.png")),
    "word before": (numbered("{:04}.png"), numbered("mask-{:04}.png")),
    "film, five digits": (None, numbered("{:05}.png")),
    "film, as restore names frames": (None, numbered("f{:06}.png")),
    "film, no zeros": (None, numbered("m{}.png")),
    "film, a number that stays": (None, numbered("clip2_{:03}_v3.png")),
    "film, counted from 1": (None, numbered("frame_{:04}.png", 1)),
    "film, counted from 100": (None, numbered("{}.png", 100)),
    "numbers, other words": (numbered("game_{:04}.png"), numbered("hole{}.png")),
    "numbers, a number that stays": (numbered("s1_{}.png"), numbered("{:03}.png")),
    "frames from 8, masks from 8": (numbered("f{:06}.png", 8), numbered("{}.png", 8)),
    "frames from 8, masks from 0": (numbered("f{:06}.png", 8), numbered("{:04}.png")),
    "a recorder's names": ([f"a_f{t}_a{t * 7}_n{t % 2}.png" for t in range(8, 8 + COUNT)], numbered("{}.png", 8)),
    "gaps": ([f"f{t}.png" for t in (1, 2, 5, 9, 10, 30)], [f"{t:03}.tif" for t in (1, 2, 5, 9, 10, 30)]),
}  # fmt: skip


@pytest.mark.parametrize("case", PAIRS)
def test_each_frame_gets_its_mask(case, tmp_path) -> None:
    files, masks = PAIRS[case]
    source, notes = opened(save(tmp_path / "masks", masks), frames(files))
    check_frames(source)
    assert ("taken in order" in notes) == (
        case.split(", ")[-1] in ("counted from 1", "counted from 100", "masks from 0")
    )


UNPAIRED = {  # names of frames, of masks, part of the message
    "words": (["ape.png", "bee.png", "cow.png"], ["apes.png", "bees.png", "cow.png"], "2 of 3 frames.*ape.png"),
    "one less": (numbered("{:04}.png")[:3], ["0001.png", "0002.png"], "1 of 3 frames.*0000.png.*nearest"),
    "film, one less": (None, numbered("{:04}.png")[1:], "first is frame 0.*number 0"),
    "nothing alike": (["a.png", "b.png", "c.png"], ["1.png", "2.png", "3.png"], "looked for a.png"),
    "twice": (["a.jpg", "b.jpg"], ["a.png", "a.bmp", "b.png"], "all masks of one frame"),
    "no pictures": (["a.png"], [], "nothing for|holds no pictures"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNPAIRED)
def test_what_was_looked_for_is_said(case, tmp_path) -> None:
    files, masks, message = UNPAIRED[case]
    folder = save(tmp_path / "masks", masks)
    with pytest.raises(DataError, match=message):
        opened(folder, frames(files, place="in/clip/a.png", count=COUNT if files is None else len(files)))


def test_frames_without_a_mask_are_whole_where_the_user_says_so(tmp_path) -> None:
    folder = save(tmp_path / "masks", ["0002.png", "0003.png"], first=2)
    with pytest.raises(DataError, match=r"4 of 6 frames .*--mask-partial"):
        opened(folder, frames())
    source, notes = opened(folder, frames(), partial=True)
    check_frames(source, [None, None, 2, 3, None, None])
    assert "4 of 6 frames have none" in notes
    with pytest.raises(DataError, match="6 of 6"):  # none at all is a wrong folder
        opened(save(tmp_path / "no", ["x.png"]), frames(), partial=True)


def test_masks_of_no_frame_and_junk(tmp_path) -> None:
    folder = save(tmp_path / "masks", [*numbered("{:04}.png"), "0099.png"])
    (folder / "._0000.png").write_bytes(b"junk of a Mac")
    (folder / "readme.txt").write_text("hello")
    source, notes = opened(folder, frames())
    check_frames(source)
    assert "0099.png belong to no frame" in notes and "._" not in notes


LAYOUTS = ["clips/a", "clips/a.png", "clips__a", "a", "a.png", "a.tif", "a.npy"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_of_several_sequences_find_their_own(layout, tmp_path) -> None:
    """`a` is a film or a folder in the folder `clips` of the input."""
    film = frames(name="clips__a", place="in/clips/a.mp4")
    path = tmp_path / layout
    path.parent.mkdir(parents=True, exist_ok=True)
    if "." not in layout:
        save(path, numbered("{:05}.png"))
        check_frames(opened(tmp_path, film)[0])
    elif path.suffix == ".npy":
        np.save(path, np.stack([mask_of(t) for t in range(COUNT)]))
        check_frames(opened(tmp_path, film)[0])
    else:
        picture(mask_of(3)).save(path)
        np.testing.assert_array_equal(opened(tmp_path, film)[0].of(0, COUNT), mask_of(3)[None])
    if "clips/" in layout and "." not in layout:
        folder = frames(numbered("{:05}.png"), "clips/a", "in/clips/a/00000.png")
        check_frames(opened(tmp_path, folder)[0])


def test_a_folder_for_another_sequence_is_no_mask_of_this_one(tmp_path) -> None:
    save(tmp_path / "b", numbered("{:05}.png"))
    with pytest.raises(DataError, match=r"nothing for in/a\.mp4.*looked for.*there is b"):
        locate(tmp_path, frames(name="a", place="in/a.mp4"))
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "a.bmp").write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.png, a\.bmp are all masks"):
        locate(tmp_path, frames(name="a", place="in/a.mp4"))


def save_pages(path) -> None:
    pages = [picture(mask_of(t)) for t in range(COUNT)]
    pages[0].save(
        path, save_all=True, append_images=pages[1:], **({"lossless": True} if path.suffix == ".webp" else {})
    )


@pytest.mark.parametrize("name", ["m.gif", "m.tif", "m.png", "m.webp"])
def test_pictures_with_a_frame_for_each_frame(name, tmp_path) -> None:
    save_pages(tmp_path / name)
    source, _ = opened(tmp_path / name, frames())
    check_frames(source)
    with pytest.raises(DataError, match=r"has 6 frames, .* 7; give one mask, or as many"):
        opened(tmp_path / name, frames(count=7))
    save(tmp_path / "folder", ["a.png", "b.png"])
    save_pages(tmp_path / "folder" / name)
    (tmp_path / "folder" / name).rename(tmp_path / "folder" / f"c{name[1:]}")
    with pytest.raises(DataError, match="in a folder each mask is of one frame"):
        opened(tmp_path / "folder", frames(["a.png", "b.png", "c.png"], count=3, place="in/a.png"))


ARRAYS = {
    "bool": lambda m: m,
    "uint8": lambda m: m * np.uint8(255),
    "uint8, 0 and 1": lambda m: m.astype(np.uint8),
    "int64": lambda m: m.astype(np.int64),
    "uint16": lambda m: m * np.uint16(65535),
    "float32": lambda m: m.astype(np.float32),
    "float64 of 255": lambda m: m * 255.0,
    "float16": lambda m: m.astype(np.float16),
    "soft": lambda m: np.where(m, 0.7, 0.2) + np.linspace(0, 0.1, m.size).reshape(m.shape),
    "a channel behind": lambda m: m[..., None],
    "big endian": lambda m: m.astype(">i4"),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays(kind, tmp_path) -> None:
    film = np.stack([mask_of(t) for t in range(COUNT)])
    np.save(tmp_path / "m.npy", ARRAYS[kind](film))
    check_frames(opened(tmp_path / "m.npy", frames())[0])
    np.savez_compressed(tmp_path / "m.npz", mask=ARRAYS[kind](film), other=np.zeros(3))
    check_frames(opened(tmp_path / "m.npz", frames())[0])
    if kind != "a channel behind":
        np.save(tmp_path / "one.npy", ARRAYS[kind](mask_of(2)))
        np.testing.assert_array_equal(opened(tmp_path / "one.npy", frames())[0].of(0, COUNT), mask_of(2)[None])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, *SIZE), bool), "has 4 frames, .* 6"),
        (np.zeros((COUNT, 12, 8), bool), "is 8x12, .* 12x8; it is turned"),
        (np.zeros((COUNT, 16, 24), bool), "is 24x16, .* 12x8; scale it .* by 0.5"),
        (np.zeros((2, 2, 2, 2, 2), bool), r"bool \[2, 2, 2, 2, 2\]"),
        (np.zeros(SIZE, complex), "complex128"),
        (np.array(["a"]), "<U1"),
        (np.full(SIZE, np.nan), "NaN or infinity .float64"),
        (np.zeros((0, *SIZE), bool), r"bool \[0, 8, 12\]"),
    ],
)
def test_arrays_that_do_not_fit(array, message, tmp_path) -> None:
    np.save(tmp_path / "m.npy", array)
    with pytest.raises(DataError, match=message):
        opened(tmp_path / "m.npy", frames())


def test_files_that_are_no_arrays(tmp_path) -> None:
    np.savez(tmp_path / "two.npz", a=np.zeros(SIZE), b=np.zeros(SIZE))
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01\x00")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    for name, message in (("two.npz", "a, b; call the mask"), ("cut.npy", "NumPy"), ("cut.npz", "NumPy"),
                          ("objects.npy", "NumPy")):  # fmt: skip
        with pytest.raises(DataError, match=message):
            opened(tmp_path / name, frames())


def test_sizes_that_differ_are_named(tmp_path) -> None:
    folder = save(tmp_path / "masks", numbered("{:04}.png"))
    Image.new("L", (12, 9)).save(folder / "0004.png")
    with pytest.raises(DataError, match=r"0004\.png: is 12x9, in/film\.mp4 is 12x8; sizes must be equal"):
        opened(folder, frames())
    with pytest.raises(DataError, match="no such file"):
        locate(tmp_path / "none", frames())


def test_a_source_is_decided_as_a_whole(tmp_path) -> None:
    """A mask that is all 1 is not known by itself; beside others of 0 and 1 it is."""
    folder = save(tmp_path / "masks", [])
    for t in range(COUNT):
        values = np.ones(SIZE, np.uint8) if t == 5 else mask_of(t).astype(np.uint8) * (t != 4)
        Image.fromarray(values).save(folder / f"{t:05}.png")
    source, notes = opened(folder, frames())
    made = source.of(0, COUNT)
    assert made[5].all() and not made[4].any() and made[:4].sum() == 4 * 8
    assert "1 = missing" in notes and source.share == pytest.approx(made.mean())
