"""Stores of format 1 are read as ever, and stand beside what is packed now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from hstmae.bundled import SAMPLES
from hstmae.data import EpisodeStore
from hstmae.data.store.columns import FORMATS, Column
from hstmae.data.store.manifest import VERSION, read_info
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import Packing
from hstmae.errors import StoreError

OLD = Path(__file__).parent / "store_v1"  # the first 20 frames of the sample session, packed as format 1
SAMPLE = SAMPLES / "sample_session"


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    out = tmp_path_factory.mktemp("formats") / "store"
    preprocess(SAMPLE, out, workers=1, packing=Packing(level=1))
    return EpisodeStore(out)


def test_an_old_store_holds_what_it_held(new: EpisodeStore) -> None:
    old = EpisodeStore(OLD)
    assert old.meta["version"] == 1 and new.meta["version"] == VERSION == FORMATS[-1] == 2
    assert old.verify() == [] and len(old[0]) == 20
    rows = np.array([7, 3, 3, 19, 0, 8])
    for name in ("frames", "state", "context", "actions", "frame_numbers"):
        now = getattr(new.read(0, range(20)), name)
        assert np.array_equal(getattr(old[0], name), now), name
        assert np.array_equal(getattr(old.read(0, rows), name), now[rows]), name


def test_descriptions_of_both_formats_stay_as_they_are(new: EpisodeStore) -> None:
    """The hash of a store covers them, also when episodes are added to an old one."""
    for store in (EpisodeStore(OLD), new):
        folder = store.path / "episodes" / store.info(0).name
        text = json.loads((folder / "episode.json").read_bytes())
        assert read_info(folder).to_json(with_split=False) == text
        for column in text["columns"]:
            assert Column.from_json(column).format == store.meta["version"]


def test_a_damaged_old_store_is_noticed(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(OLD, tmp_path / "copy"))
    (path,) = copy.glob("episodes/*/data.bin")
    store = EpisodeStore(copy)
    data, noticed = path.read_bytes(), 0
    for position in range(16, len(data), 997):
        path.write_bytes(data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :])
        try:
            EpisodeStore(copy)[0]
        except StoreError:
            noticed += 1
    path.write_bytes(data)
    assert noticed >= 13 and store.verify() == []


def test_unknown_layouts_and_formats_are_refused(new: EpisodeStore) -> None:
    column = new.info(0).columns["state"].to_json()
    with pytest.raises(ValueError, match="layout 'spiral'"):
        Column.from_json({**column, "layout": "spiral"})
    with pytest.raises(KeyError):
        Column.from_json({key: value for key, value in column.items() if key != "layout"})


def test_a_window_of_the_picture_and_a_place_to_write_to(new: EpisodeStore) -> None:
    rows, window = np.array([5, 9, 13, 2]), (slice(10, 74), slice(3, 99))
    wanted = new.read(0, rows).frames[:, 10:74, 3:99]
    assert np.array_equal(new.column(0, "frames", rows, window), wanted)
    out = np.zeros((6, 64, 96), np.uint8)
    assert new.column(0, "frames", rows, window, out[1:5]) is not None
    assert np.array_equal(out[1:5], wanted) and not out[0].any() and not out[5].any()
