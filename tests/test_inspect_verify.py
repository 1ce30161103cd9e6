"""`hstmae inspect` and `hstmae verify` on a small store made of the bundled session."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hstmae import cli
from hstmae.bundled import SAMPLES
from hstmae.data.inspection import EpisodeCounts, count_by_level
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.data.store.writer import Packing
from hstmae.drawing.exhibit import Exhibit
from hstmae.drawing.overlay import draw_regions, draw_state, enlarged, readings, region_colour
from hstmae.games import get_game


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 12 frames of the bundled session."""
    (source,) = (p for p in (SAMPLES / "sample_session").iterdir() if p.is_dir())
    folder = tmp_path_factory.mktemp("session") / source.name
    folder.mkdir()
    for path in sorted(source.glob("*.png"))[:12]:
        shutil.copy(path, folder)
    return folder.parent


@pytest.fixture
def store(session: Path, tmp_path: Path) -> Path:
    preprocess(session, tmp_path / "store", workers=1, packing=Packing(level=1), val_fraction=0)
    return tmp_path / "store"


def test_a_whole_store_passes(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(store), "--json", str(tmp_path / "v.json")]) == 0
    report = json.loads((tmp_path / "v.json").read_text())
    assert report["whole"] and report["problems"] == [] and report["frames"] == 12
    assert EpisodeStore(store).hash in capsys.readouterr().out


@pytest.mark.parametrize("name", ["data.bin", "episode.json", "problems.jsonl", "meta.json"])
def test_one_flipped_bit_anywhere_fails(
    store: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = store.rglob(name)
    data = bytearray(path.read_bytes() or b"x")
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    assert cli.main(["verify", str(store), "--json", str(tmp_path / "v.json")]) == 2
    report = json.loads((tmp_path / "v.json").read_text())
    assert not report["whole"] and name in report["problems"][0] and name in capsys.readouterr().out


def test_a_folder_that_is_no_store_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(tmp_path)]) == 2
    assert "not a store" in capsys.readouterr().err


def test_store_and_source_give_the_same_summary_and_sheet(
    session: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = []
    for place in (store, session):
        command = ["inspect", str(place), "--out", str(tmp_path / f"{place.name}.png"), "--frames", "2"]
        assert cli.main([*command, "--json", str(tmp_path / "r.json"), "--overwrite"]) == 0
        reports.append(json.loads((tmp_path / "r.json").read_text()))
    out = capsys.readouterr().out
    assert "bytes/frame" in out and "1-1" in out
    packed, raw = reports
    assert (packed["kind"], raw["kind"]) == ("store", "source")
    assert packed["total"]["frames"] == raw["total"]["frames"] == 12
    assert packed["total"]["outcomes"] == raw["total"]["outcomes"] == {"fail": 1}
    assert raw["total"]["bytes_per_frame"] > packed["total"]["bytes_per_frame"] > 0
    sheets = [np.asarray(Image.open(tmp_path / f"{place.name}.png")) for place in (store, session)]
    np.testing.assert_array_equal(*sheets)  # what is read on the way is what gets packed
    assert sheets[0].shape[1] > 5 * 512 and sheets[0].shape[0] > 2 * 480


def test_the_film_holds_every_frame(store: Path, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="films need PyAV: pip install 'hstmae[video]'")
    path = tmp_path / "clip.mp4"
    assert cli.main(["inspect", str(store), "--out", str(path), "--start", "3", "--frames", "4"]) == 0
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 4 and frames[0].std() > 10


def test_wrong_requests_are_told(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = ["--out", str(tmp_path / "a.png")]
    for options, reason in (
        (["--out", "a.jpg"], ".png"),
        ([*sheet, "--episode", "none"], "no episode"),
        ([*sheet, "--start", "99"], "--start"),
        ([*sheet, "--mask", "blocks"], "tube"),
        ([*sheet, "--frames", "0"], "--frames"),
        ([*sheet, "--game", "generic"], "store of 'smb'"),
    ):
        assert cli.main(["inspect", str(store), *options]) == 2
        assert reason in capsys.readouterr().err
    assert cli.main(["inspect", str(tmp_path / "nothing")]) == 2
    assert not (tmp_path / "a.png").exists()


def test_true_colour_pictures_are_shown_without_state(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for k in range(3):
        Image.fromarray(np.full((32, 48, 3), 40 * k, np.uint8)).save(tmp_path / "in" / f"{k}.png")
    out = tmp_path / "sheet.png"
    assert cli.main(["inspect", str(tmp_path / "in"), "--game", "generic", "--out", str(out)]) == 0
    with Image.open(out) as sheet:
        assert 2 * 480 < sheet.width < 3 * 480  # enlarged ten times, two columns


def test_groups_add_up() -> None:
    facts = [
        EpisodeCounts("a", "10-1", "win", "train", 30, 300, 2, 1),
        EpisodeCounts("b", "2-1", "fail", "train", 10, 50, 0, 0),
        EpisodeCounts("c", "2-1", "win", "val", 10, 150, 5, 0),
    ]
    groups = count_by_level(facts)
    assert [group.level for group in groups] == ["2-1", "10-1", "all"]
    assert (groups[0].episodes, groups[0].frames, groups[0].repaired, groups[0].bytes_per_frame) == (2, 20, 5, 10)
    assert groups[-1].outcomes == {"fail": 1, "win": 2} and groups[-1].left_out == 1


def test_overlays_lie_where_the_state_says(session: Path, store: Path) -> None:
    episode = EpisodeStore(store)[0]
    game = get_game("smb")
    assert episode.state is not None and episode.palette is not None
    state = game.decode(episode.state, episode.context)
    regions = game.region_map(state, len(episode))[0]
    picture = episode.palette[episode.frames[0]]
    tinted = draw_regions(picture, regions, 1)
    edge = np.zeros(regions.shape, bool)
    edge[:, 1:] |= regions[:, 1:] != regions[:, :-1]
    edge[1:] |= regions[1:] != regions[:-1]
    np.testing.assert_array_equal(tinted[edge], np.array([region_colour(k) for k in range(7)], np.uint8)[regions[edge]])
    drawn = draw_state(enlarged(picture, 2), game, state, 0, 2)
    (player,) = (box for box in state.boxes[0].tolist() if game.regions[box[0]] == "player")
    _, x0, _, x1, y1 = player
    assert tuple(drawn[y1 * 2 - 1, x0 + x1]) == region_colour(player[0])  # lower edge of the player's box
    assert "timer " in readings(game.fields, episode.state[0])


@pytest.mark.parametrize("game", ["smb", "nes", "atari2600-boxing"])
def test_no_two_entries_of_a_legend_have_one_name(game: str) -> None:
    exhibit = Exhibit.__new__(Exhibit)
    exhibit.__dict__.update(_game=get_game(game), _regions=np.zeros((1, 8, 8), np.uint8), _state=object())
    names = [name for name, _ in exhibit._legend()]
    assert len(set(names)) == len(names) > 2
