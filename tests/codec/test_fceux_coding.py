"""What `.hst` files keep of recordings in every form: the very files, or pictures that show the same."""

from __future__ import annotations

import io
from pathlib import Path

import fceux_files as fceux
import numpy as np
import pytest
from PIL import Image

from hstmae.codec.jobs.decode import parts_of, write_recording
from hstmae.codec.jobs.encode_many import archive
from hstmae.codec.jobs.inputs import find_input
from hstmae.codec.jobs.tasks import Settings
from hstmae.codec.lossless.scene import Scene
from hstmae.codec.session.reader import HstReader
from hstmae.data.sources.video import VideoOptions
from hstmae.games import get_game

FRAMES = fceux.sample(6)
NAME = "recorded_heldout3000_e0_1-1_fail"
EXACT = ("base 128", "base 128, 192 entries", "base 128, other entries", "base 0", "base 0, 64 entries")


def packed_as_fceux(data: bytes, pixels: np.ndarray, base: int) -> bytes:
    """Rows without filters, one zlib stream of the usual level."""
    from hstmae.data.sources.smb.dataset_writer import picture_bytes

    return data[: data.index(b"IDAT") - 4] + picture_bytes(pixels, 6, base)


@pytest.mark.parametrize("lines", [slice(None), fceux.LINES], ids=["240", "224"])
@pytest.mark.parametrize("form", fceux.FORMS)
def test_files_come_back(tmp_path: Path, form: str, lines: slice) -> None:
    table = fceux.TABLES["fceux 2.3"]
    files = []
    for name, pixels, tail in FRAMES:
        data = fceux.FORMS[form](pixels[lines], table)
        if form in EXACT:
            data = packed_as_fceux(data, pixels[lines], 128 if "128" in form else 0)
        files.append((name, data + tail))
    source = fceux.write(tmp_path / "in" / NAME, files)
    found = find_input(source, None, VideoOptions(), [])
    summary = archive(found, tmp_path / "x.hst", Settings("lossless", (), 64, 1), workers=1)
    assert (summary.frames, summary.exact_files) == (6, 6 if form in EXACT else 0)
    with HstReader(tmp_path / "x.hst") as reader:
        assert reader.episodes()[0].corner == ((0, 0) if lines.start is None else (8, 0))
        (part,) = parts_of(reader, None, None)
        write_recording(reader, part, tmp_path / "out", lambda count: None)
    for name, data in files:
        made = (tmp_path / "out" / NAME / name).read_bytes()
        if form in EXACT:
            assert made == data
            continue
        shown = [np.array(Image.open(io.BytesIO(one)).convert("RGB")) for one in (made, data)]
        np.testing.assert_array_equal(*shown)
        assert made[made.index(b"IEND") + 8 :] == data[data.index(b"IEND") + 8 :]


def test_a_scene_is_seen_from_the_corner_of_the_picture() -> None:
    game = get_game("smb")
    state = np.stack([np.frombuffer(tail[12:2060], np.uint8) for _, _, tail in FRAMES])
    whole = Scene.of(game, state)
    cut = whole.seen_from((8, 16))
    np.testing.assert_array_equal(cut.corners[..., 1], whole.corners[..., 1] - 8)
    np.testing.assert_array_equal(cut.corners[..., 0], whole.corners[..., 0] - 16)
    np.testing.assert_array_equal(cut.sprites[..., 1], whole.sprites[..., 1] - 8)
    np.testing.assert_array_equal(cut.sprites[..., 2:], whole.sprites[..., 2:])
    assert whole.seen_from((0, 0)) is whole
