"""Pictures of games with a palette as a source: exactly the game's colours, indexed or RGB, with state beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hstmae.bundled import SAMPLES
from hstmae.data.sources.base import Problem, UnusableEpisode
from hstmae.data.sources.finding import find_sources, game_of
from hstmae.data.sources.video import VideoOptions
from hstmae.errors import DataError, UsageError
from hstmae.games import get_game
from hstmae.inference.footage.opening import open_footage

GAME = get_game("smb")
SAMPLE = SAMPLES / "sample_session"
STATES = np.random.default_rng(0).integers(0, 256, (3, GAME.state_size)).astype(np.uint8)


def picture(t: int) -> np.ndarray:
    return (np.arange(240 * 256).reshape(240, 256) // 512 % 13 + 0x10 + t).astype(np.uint8)


def indexed(pixels: np.ndarray, first: int, entries: np.ndarray) -> Image.Image:
    image = Image.frombytes("P", (pixels.shape[1], pixels.shape[0]), (pixels + first).astype(np.uint8).tobytes())
    table = np.zeros((256, 3), np.uint8)
    table[first : first + len(entries)] = entries
    image.putpalette(table.tobytes(), "RGB")
    return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three frames: in RGB, with the game's own table, and as emulators write them; f10 comes after f9."""
    out = tmp_path / "session"
    out.mkdir()
    Image.fromarray(GAME.palette[picture(0)]).save(out / "f8.png")
    indexed(picture(1), 0, GAME.palette).save(out / "f9.png")
    indexed(picture(2), GAME.emulator_entry, GAME.palette).save(out / "f10.png")
    np.savez(tmp_path / "session.npz", state=STATES, actions=np.array([1, 2, 3], np.uint8))
    return out


def read(path: Path) -> tuple[list, list[Problem]]:
    kind, (episode,) = find_sources(path, GAME, VideoOptions(side=path.with_suffix(".npz")))
    assert kind == "pictures"
    problems: list[Problem] = []
    return list(episode.frames(problems.append, {})), problems


def test_every_kind_of_file_gives_the_games_entries(folder: Path) -> None:
    frames, problems = read(folder)
    assert problems == [] and [frame.action for frame in frames] == [1, 2, 3]
    for t, frame in enumerate(frames):
        assert np.array_equal(frame.pixels, picture(t)) and frame.pixels.dtype == np.uint8
        assert np.array_equal(frame.state, STATES[t]) and np.array_equal(frame.palette, GAME.palette)


def test_of_entries_with_one_colour_software_uses_one(folder: Path) -> None:
    black = np.full((240, 256), 0x0D, np.uint8)  # an entry that is as black as 0x0F
    Image.fromarray(GAME.palette[black]).save(folder / "f8.png")
    indexed(black, 0, GAME.palette).save(folder / "f9.png")
    frames, _ = read(folder)
    assert (frames[0].pixels == 0x0F).all() and (frames[1].pixels == 0x0D).all()


def test_other_colours_and_other_sizes_are_left_out(folder: Path) -> None:
    strange = GAME.palette[picture(1)]
    strange[5, 5:8] = (1, 2, 3)
    Image.fromarray(strange).save(folder / "f9.png")
    Image.fromarray(GAME.palette[picture(2)[:100]]).save(folder / "f10.png")
    frames, problems = read(folder)
    assert [frame.number for frame in frames] == [0]
    assert [(p.file, p.reason.split(":")[0]) for p in problems] == [
        ("f9.png", "3 pixels have colours that smb does not have"),
        ("f10.png", "is 256x100, the pictures before it 256x240"),
    ]


def test_a_side_file_that_does_not_fit(folder: Path) -> None:
    np.savez(folder.with_suffix(".npz"), state=STATES[:2])
    with pytest.raises(UnusableEpisode, match="2 frames, the folder 3 pictures"):
        read(folder)
    with pytest.raises(DataError, match="has 2 frames, the folder 3 pictures"):
        list(open_footage(folder, "smb"))
    (without,) = open_footage(folder, "smb", with_state=False)
    assert not without.has_state


def test_restoring_reads_the_same_frames_and_states(folder: Path) -> None:
    (footage,) = open_footage(folder, "smb")
    part = footage.read(0, 3)
    assert footage.has_state and part.state is not None and np.array_equal(part.state, STATES)
    assert all(np.array_equal(p.indices, picture(t)) for t, p in enumerate(part.pictures))
    assert part.context is not None
    (single,) = open_footage(folder / "f9.png", "smb")  # a side file of three frames is not one of this picture
    assert not single.has_state


def test_recordings_with_memory_behind_the_pictures_keep_to_it(tmp_path: Path) -> None:
    assert game_of(SAMPLE) == "smb" and game_of(tmp_path) == "generic"
    (footage,) = open_footage(SAMPLE, "smb")
    assert footage.has_state
    with pytest.raises(UsageError, match="smbdataset holds both"):
        find_sources(SAMPLE, GAME, VideoOptions(side=tmp_path))
    kind, episodes = find_sources(SAMPLE, GAME, VideoOptions())
    assert kind == "smbdataset" and len(episodes) == 1
    with pytest.raises(UsageError, match="resize"):
        find_sources(SAMPLE, GAME, VideoOptions(resize=64))
    with pytest.raises(DataError, match="is an empty folder; looked for films"):
        find_sources(tmp_path, GAME, VideoOptions(fps=30))
