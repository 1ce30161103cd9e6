"""Restoring .hst files: as the recordings they were made of, lost groups told as lost frames."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_inputs import restored
from test_job import episode

from hstmae import cli
from hstmae.codec.container.chunks import parse_header
from hstmae.codec.jobs.encode_many import archive
from hstmae.codec.jobs.inputs import find_input
from hstmae.codec.jobs.tasks import Settings
from hstmae.codec.session.reader import HstReader
from hstmae.commands.evaluate import opened
from hstmae.data import EpisodeStore
from hstmae.data.sources.smb.dataset_writer import write_smbdataset
from hstmae.data.sources.video import VideoOptions
from hstmae.errors import DataError, StoreError
from hstmae.inference.footage.opening import open_footage


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A recorded episode of SMB and a .hst file of it, of groups of 2 frames; only read."""
    base = tmp_path_factory.mktemp("recorded")
    folder = write_smbdataset(episode(6), base / "session", damaged=True)
    out = base / "x.hst"
    archive(find_input(folder, "smb", VideoOptions()), out, Settings("lossless", (), 2, 1), workers=1)
    return folder, out


def test_a_hst_file_is_restored_like_the_recording_it_was_made_of(session: tuple[Path, Path], tmp_path: Path) -> None:
    folder, path = session
    restored(folder, tmp_path / "one", "smb")
    (two,) = restored(path, tmp_path / "two", "smb")
    assert two.has_state and two.count == 6 and two.files[0] == "f000008.png"
    first, second = (sorted((tmp_path / name).iterdir(), key=lambda p: number(p.name)) for name in ("one", "two"))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(Image.open(a).convert("RGB"), Image.open(b).convert("RGB"))
    with pytest.raises(DataError, match="holds episodes of 'smb', not of 'generic'"):
        list(open_footage(path, "generic"))


def number(name: str) -> int:
    return int(name.split("_f")[1].split("_")[0] if "_f" in name else name[1:7])


@pytest.mark.parametrize("group", [0, 2])
def test_lost_groups_of_a_hst_file_are_lost_frames(group: int, session: tuple[Path, Path], tmp_path: Path) -> None:
    path = Path(shutil.copy(session[1], tmp_path))
    with HstReader(path) as reader:
        offset, _ = reader.entries[0].gops[group]
        size = parse_header(reader.data, offset).size
    data = bytearray(path.read_bytes())
    data[offset + size // 2] ^= 0xFF
    path.write_bytes(data)
    (footage,) = open_footage(path, "smb")
    episode_name = find_input(path, None, VideoOptions()).episodes[0].name
    assert footage.count == 6 and footage.files == [f"f{n:06d}.png" for n in range(8, 14)]
    assert [str(p) for p in footage.problems] == [
        f"{episode_name}: frames {2 * group} to {2 * group + 1} are lost: the file is damaged"
    ]
    stretch = footage.read(0, 6)
    lost = [bool(picture.missing.all()) for picture in stretch.pictures]
    assert lost == [2 * group <= k < 2 * group + 2 for k in range(6)]
    before = 2 * group - 1 if group else 2
    for k in range(2 * group, 2 * group + 2):
        np.testing.assert_array_equal(stretch.state[k], stretch.state[before])
    restored(path, tmp_path / "out", "smb")
    assert len(list((tmp_path / "out").iterdir())) == 6


def test_a_hst_file_is_inspected_and_refused_where_a_store_is_needed(
    session: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = session[1]
    assert cli.main(["inspect", str(path), "--json", str(tmp_path / "r.json")]) == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["total"]["frames"] == 6 and report["game"] == "smb" and report["episodes"][0]["bytes"] > 0
    assert cli.main(["inspect", str(path), "--out", str(tmp_path / "sheet.png")]) == 0
    assert Image.open(tmp_path / "sheet.png").size[0] > 100
    capsys.readouterr()
    assert cli.main(["preprocess", "--input_dir", str(path), "--output_dir", str(tmp_path / "store")]) == 2
    assert "--to store" in capsys.readouterr().err
    with pytest.raises(StoreError, match="--to store"):
        EpisodeStore(path)
    with opened(path, "smb") as store:
        assert store.info(0).frames == 6
    with pytest.raises(DataError, match="holds no episode of 'generic'"), opened(path, "generic"):
        pass
