"""Whole inputs into a folder: files, folders with memory appended, masks, and an output that is whole or absent."""

import numpy as np
import pytest
from fake_networks import Painter, predictor

from hstmae.data.episode import Episode
from hstmae.data.sources.smb.dataset_writer import write_smbdataset
from hstmae.data.store.preprocessing import preprocess
from hstmae.errors import DataError, UsageError
from hstmae.games import get_game
from hstmae.inference.footage.files import PictureFiles
from hstmae.inference.footage.opening import open_footage
from hstmae.inference.job import RestoreSummary, choose_level, restore_footage
from hstmae.inference.mask_rules import MaskRules
from hstmae.inference.sinks import FolderSink
from hstmae.masks.tubes import TubeSpec
from hstmae.output import filling
from hstmae.pictures.indexed import read_picture, to_png

GAME = get_game("smb")


def episode(frames: int = 5, first: int = 8) -> Episode:
    rng = np.random.default_rng(1)
    state = rng.integers(0, 256, (frames, 2048)).astype(np.uint8)
    state[:, 0x74E] = 10 + np.arange(frames)
    return Episode(
        name="e",
        game="smb",
        frames=rng.choice(np.array([0x22, 0x0F, 0x17], np.uint8), (frames, 240, 256)),
        palette=GAME.palette,
        state=state,
        context=None,
        actions=np.zeros(frames, np.uint8),
        frame_numbers=np.arange(first, first + frames, dtype=np.int32),
        level="1-1",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Frames 8 to 12: in the order of their names, 10 comes before 8."""
    return write_smbdataset(episode(), tmp_path_factory.mktemp("session"), damaged=True)


def restored(path, out, masks: MaskRules, level: str = "auto", compare: bool = False) -> tuple[Painter, RestoreSummary]:
    painter, summary = Painter(), RestoreSummary()
    for footage in open_footage(path, "smb"):
        sink = FolderSink(out / footage.name, compare=compare)
        restore_footage(predictor(painter), footage, masks, level, sink, summary)
    return painter, summary


def test_plain_pictures_take_their_memory_from_the_side_file(folder, tmp_path) -> None:
    truth = episode()
    paths = []
    for t, frame in enumerate(truth.frames):
        paths.append(tmp_path / f"f{t}.png")
        paths[-1].write_bytes(to_png(frame, GAME.palette))
    np.savez(tmp_path / "side.npz", state=truth.state)
    assert not PictureFiles("", paths, GAME).has_state
    with_side = PictureFiles("", paths, GAME, side=tmp_path / "side.npz")
    stretch = with_side.read(1, 3)
    assert with_side.has_state and stretch.context is not None
    np.testing.assert_array_equal(stretch.state, truth.state[1:3])
    assert not PictureFiles("", paths, GAME, False, tmp_path / "side.npz").has_state
    np.savez(tmp_path / "side.npz", state=truth.state[:-1])
    with pytest.raises(DataError, match="has 4 frames, the folder 5 pictures"):
        PictureFiles("", paths, GAME, side=tmp_path / "side.npz")


def test_a_recorded_folder_is_restored_in_frame_order_with_its_own_memory(folder, tmp_path) -> None:
    _, summary = restored(folder, tmp_path / "out", MaskRules(tube=TubeSpec(0.5, 1)), compare=True)
    truth = episode()
    (footage,) = open_footage(folder, "smb")
    assert [f.split("_f")[1].split("_")[0] for f in footage.files] == ["8", "9", "10", "11", "12"]
    for t, file in enumerate(footage.files):
        before, after = read_picture(folder / file, GAME), read_picture(tmp_path / "out" / file, GAME)
        changed = before.indices != after.indices
        np.testing.assert_array_equal(before.indices, truth.frames[t])
        assert set(after.indices[changed].tolist()) <= {10 + t}
        assert 0.4 < changed.mean() <= 0.5 and after.native.beside["tail"] == before.native.beside["tail"]
        assert (tmp_path / "out" / "compare" / file).is_file()
    assert summary.frames == summary.damaged_frames == 5 and summary.levels == {"full"}
    assert summary.masked == 5 * 120 * 256 and summary.exact == 0


def test_a_store_is_restored_episode_by_episode(folder, tmp_path) -> None:
    preprocess(folder, tmp_path / "store", workers=1)
    painter, summary = restored(tmp_path / "store", tmp_path / "out", MaskRules(tube=TubeSpec(0.5, 1)))
    files = sorted((tmp_path / "out" / folder.name).iterdir())
    assert [f.name for f in files] == [f"f{n:06d}.png" for n in range(8, 13)]
    truth = episode()
    for t, file in enumerate(files):
        after = read_picture(file, GAME).indices
        changed = after != truth.frames[t]
        assert set(after[changed].tolist()) <= {10 + t} and 0.4 < changed.mean() <= 0.5
    assert summary.levels == {"full"} and painter.calls[0]["level"].tolist() == [2]


def test_state_is_used_only_where_asked_and_there(folder, tmp_path) -> None:
    painter, _ = restored(folder, tmp_path / "a", MaskRules(tube=TubeSpec(0.5)), "none")
    assert painter.calls[0]["state"] is None
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.png").write_bytes(to_png(np.full((16, 16), 0x22, np.uint8), GAME.palette))
    (plain,) = open_footage(tmp_path / "plain", "smb")
    assert choose_level("auto", plain) == "none"
    with pytest.raises(DataError, match="--state full"):
        choose_level("full", plain)


def test_mask_files_for_all_frames_or_one_each(tmp_path) -> None:
    frames, masks = tmp_path / "frames", tmp_path / "masks"
    frames.mkdir()
    masks.mkdir()
    for name in ("a.png", "b.png"):
        (frames / name).write_bytes(to_png(np.full((32, 32), 0x22, np.uint8), GAME.palette))
    grey = np.stack([np.arange(256)] * 3, 1).astype(np.uint8)
    for name, column in (("a.png", 0), ("b.png", 20)):
        white = np.zeros((32, 32), np.uint8)
        white[:, column : column + 4] = 255
        (masks / name).write_bytes(to_png(white, grey))
    restored(frames, tmp_path / "each", MaskRules([masks]))
    restored(frames, tmp_path / "all", MaskRules([masks / "b.png"]))
    for out, name, column in (("each", "a.png", 0), ("each", "b.png", 20), ("all", "a.png", 20)):
        wanted = np.full((32, 32), 0x22)
        wanted[:, column : column + 4] = 7
        np.testing.assert_array_equal(read_picture(tmp_path / out / name, GAME).indices, wanted)
    (masks / "b.png").unlink()
    with pytest.raises(DataError, match=r"b\.png"):
        restored(frames, tmp_path / "again", MaskRules([masks]))


def test_detected_blocks_are_restored(tmp_path) -> None:
    rng = np.random.default_rng(0)
    table = GAME.palette.copy()
    table[63] = [255, 0, 255]
    stored = rng.choice(np.array([0x22, 0x17], np.uint8), (48, 48))
    stored[10:30, 12:25] = 63
    (tmp_path / "in.png").write_bytes(to_png(stored, table))
    _, summary = restored(tmp_path / "in.png", tmp_path / "out", MaskRules(detect=True))
    assert summary.fills == {0xFF00FF} and summary.masked == 20 * 13
    after = read_picture(tmp_path / "out" / "in.png", GAME)
    np.testing.assert_array_equal(after.indices, np.where(stored == 63, 7, stored))


def test_frames_of_two_sizes_and_foreign_colours_are_errors(tmp_path) -> None:
    for name, size in (("a.png", 16), ("b.png", 32)):
        (tmp_path / name).write_bytes(to_png(np.full((size, size), 0x22, np.uint8), GAME.palette))
    with pytest.raises(DataError, match=r"b\.png: is 32x32"):
        restored(tmp_path, tmp_path / "out", MaskRules(tube=TubeSpec(0.5)))
    (tmp_path / "b.png").write_bytes(to_png(np.zeros((16, 16), np.uint8), np.array([[1, 2, 3]], np.uint8)))
    with pytest.raises(DataError, match=r"b\.png: .*#010203"):
        restored(tmp_path, tmp_path / "out", MaskRules())


def test_open_footage_tells_what_it_cannot_take(tmp_path) -> None:
    for path, reason in ((tmp_path / "no", "no such"), (tmp_path, "is an empty folder; looked for a film or pictures")):
        with pytest.raises(DataError, match=reason):
            list(open_footage(path, "smb"))
    (tmp_path / "film.mp4").write_bytes(b"x")
    with pytest.raises(DataError, match="leave out --game and --checkpoint"):
        list(open_footage(tmp_path / "film.mp4", "smb"))


def test_output_is_whole_or_absent(tmp_path) -> None:
    out = tmp_path / "out"
    with pytest.raises(RuntimeError), filling(out, False) as temp:
        (temp / "half.png").write_bytes(b"x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with filling(out, False) as temp:
        (temp / "a.png").write_bytes(b"new")
    assert (out / "a.png").read_bytes() == b"new"
    with pytest.raises(UsageError, match="--overwrite"), filling(out, False):
        pass
    (out / "other.txt").write_bytes(b"keep")
    with filling(out, True) as temp:
        (temp / "a.png").write_bytes(b"newer")
    assert (out / "a.png").read_bytes() == b"newer" and (out / "other.txt").read_bytes() == b"keep"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]
