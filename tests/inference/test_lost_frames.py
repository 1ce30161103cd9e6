"""What cannot be read of a sequence is a lost frame: restored whole, reported, and never the end of a run."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from fake_networks import footage
from PIL import Image

from hstmae.cli import main
from hstmae.data.store.manifest import DATA
from hstmae.data.store.preprocessing import preprocess
from hstmae.games import get_game
from hstmae.inference.footage.opening import open_footage
from hstmae.pictures.indexed import to_png

PALETTE = get_game("smb").palette


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A network for each kind of game, by its name."""
    import torch

    from hstmae.config import ModelConfig
    from hstmae.models.zoo import build_model, save_pretrained

    small = {"dims": (16, 16, 16, 16), "depths": (1, 1, 1, 1), "head_dim": 16}
    small |= {"decoder_dim": 16, "decoder_depth": 1, "decoder_head_dim": 16, "state_dim": 16}
    made = {}
    for game, head in (("smb", "palette"), ("generic", "rgb")):
        config = ModelConfig(**small, game=game, head=head)  # type: ignore[arg-type]
        made[game] = tmp_path_factory.mktemp(game)
        save_pretrained(build_model(config).state_dict(), config, made[game], torch.float32)
    return made


def frames(folder: Path, count: int = 5, size: tuple[int, int] = (32, 48)) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{t}.png" for t in range(count)]
    for path, frame in zip(paths, footage(count, size), strict=True):
        path.write_bytes(to_png(frame, PALETTE))
    return paths


def another_size() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(file, format="PNG")
    return file.getvalue()


def damaged(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "no permission":
        path.chmod(0)
    else:
        path.write_bytes(
            {
                "cut off": data[: len(data) // 2],
                "empty": b"",
                "no picture": b"no picture at all",
                "flipped bits": data[:80] + bytes(b ^ 255 for b in data[80:160]) + data[160:],
                "another size": another_size(),
            }[how]
        )


@pytest.mark.parametrize("game", ["smb", "generic"])
@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("how", ["cut off", "empty", "no picture", "flipped bits", "another size", "no permission"])
def test_a_broken_picture_is_restored_whole(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], game: str, place: int, how: str
) -> None:
    if how == "no permission" and os.geteuid() == 0:
        pytest.skip("root reads everything")
    paths = frames(tmp_path / "in")
    whole = [path.read_bytes() for path in paths]
    damaged(paths[place], how)
    command = ["restore", str(tmp_path / "in"), "--checkpoint", str(models[game]), "--out", str(tmp_path / "out")]
    assert main([*command, "--on-error", "fail"]) == 2
    assert paths[place].name in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert main([*command, "--json", str(tmp_path / "summary.json")]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["frames"] == 5 and summary["damaged_frames"] == 1
    assert len(summary["problems"]) == 1 and paths[place].name in summary["problems"][0]
    assert paths[place].name in capsys.readouterr().err
    for t, path in enumerate(paths):
        with Image.open(tmp_path / "out" / path.name) as after:
            assert after.size == (48, 32)
            if t != place:
                with Image.open(io.BytesIO(whole[t])) as before:
                    assert after.convert("RGB").tobytes() == before.convert("RGB").tobytes()


def test_where_no_size_is_that_of_most_nobody_knows_which_are_lost(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in frames(tmp_path / "in", 4)[:2]:
        damaged(path, "another size")
    command = ["restore", str(tmp_path / "in"), "--checkpoint", str(models["smb"]), "--out", str(tmp_path / "out")]
    assert main([*command, "--mask", "tube:0.5"]) == 2
    assert "restore sizes one by one" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_damaged_group_of_a_store(models: dict[str, Path], tmp_path: Path) -> None:
    for path, pixels in zip(frames(tmp_path / "in" / "one", 40), footage(40, (32, 48)), strict=True):
        Image.fromarray(PALETTE[pixels]).save(path)
    preprocess(tmp_path / "in", tmp_path / "store", game="generic", workers=1)
    (data,) = (tmp_path / "store").rglob(DATA)
    spoilt = bytearray(data.read_bytes())
    spoilt[len(spoilt) // 2] ^= 255
    data.write_bytes(spoilt)
    (sequence,) = open_footage(tmp_path / "store", "generic")
    pictures = sequence.read(0, 40).pictures
    lost = [t for t, picture in enumerate(pictures) if picture.missing.all()]
    assert 0 < len(lost) < 40 and len(sequence.problems) == len(lost)  # type: ignore[attr-defined]
    command = ["restore", str(tmp_path / "store"), "--checkpoint", str(models["generic"])]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert len([*(tmp_path / "out").rglob("f*.png")]) == 40
    assert main([*command, "--out", str(tmp_path / "strict"), "--on-error", "fail"]) == 2
    assert not (tmp_path / "strict").exists()


def test_every_sequence_has_a_folder_of_its_own(tmp_path: Path) -> None:
    for name in ("", "Compare", "x", "x/compare"):
        frames(tmp_path / "in" / name if name else tmp_path / "in", 1)
    names = [sequence.name for sequence in open_footage(tmp_path / "in", "smb")]
    assert sorted(names) == ["", "Compare~2", "x", "x/compare~2"]
