"""What `hstmae restore` cannot do is told in one line, with exit status 2, and nothing is left behind."""

from pathlib import Path

import numpy as np
import pytest
from fake_networks import footage
from PIL import Image

from hstmae.cli import main
from hstmae.games import get_game
from hstmae.pictures.indexed import to_png

PALETTE = get_game("smb").palette


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from hstmae.config import ModelConfig
    from hstmae.models.zoo import build_model, save_pretrained

    small = {"dims": (16, 16, 16, 16), "depths": (1, 1, 1, 1), "head_dim": 16}
    config = ModelConfig(**small, decoder_dim=16, decoder_depth=1, decoder_head_dim=16, state_dim=16)  # type: ignore[arg-type]
    folder = tmp_path_factory.mktemp("model")
    save_pretrained(build_model(config).state_dict(), config, folder, torch.float32)
    return folder


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for t, frame in enumerate(footage(3, (32, 32))):
        (folder / f"{t}.png").write_bytes(to_png(frame, PALETTE))
    return folder


def refused(capsys: pytest.CaptureFixture[str], model: Path, source: Path, *options: str) -> str:
    """The one line that is told; asserts that the output does not exist in any form."""
    out = source.parent / "out"
    before = sorted(source.parent.iterdir())
    assert main(["restore", str(source), "--checkpoint", str(model), "--out", str(out), *options]) == 2
    assert sorted(source.parent.iterdir()) == before
    told = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(told) == 1
    return told[0]


def test_inputs(frames: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.png").write_bytes(b"no picture at all")
    (tmp_path / "cut.png").write_bytes((frames / "0.png").read_bytes()[:-30])
    (tmp_path / "film.mp4").write_bytes(b"film")
    for name, reason in (
        ("empty", "is an empty folder; looked for a film or pictures"),
        ("nothing", "no such file"),
        ("note.png", "is a text file; looked for"),
        ("cut.png", "damaged PNG"),
        ("film.mp4", "leave out --game and --checkpoint"),
    ):
        assert reason in refused(capsys, model, tmp_path / name, "--mask", "tube:0.5"), name
    Image.fromarray(np.zeros((16, 48, 3), np.uint8)).save(frames / "2.png")
    (frames / "1.png").unlink()  # no size is that of most
    assert "2.png: is 48x16" in refused(capsys, model, frames, "--mask", "tube:0.5")


def test_a_damaged_frame_after_good_ones(frames: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (frames / "2.png").write_bytes(b"no picture")
    assert "2.png" in refused(capsys, model, frames, "--mask", "tube:0.5", "--on-error", "fail")


def test_masks_and_state(frames: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "mask.png")
    (tmp_path / "masks").mkdir()
    for options, reason in (
        (("--mask", str(tmp_path / "mask.png")), "is 8x8, "),
        (("--mask", str(tmp_path / "masks")), "0.png"),
        (("--mask", str(tmp_path / "no.png")), "no such file"),
        (("--mask", "tube:1.5"), "tube:RATIO"),
        (("--mask", "tube:0.5", "--state", "full"), "use --state none or auto"),
        (("--mask", "tube:0.5", "--game", "generic"), "restores 'smb', not 'generic'"),
        ((), "nothing is missing"),
    ):
        assert reason in refused(capsys, model, frames, *options), options


def test_checkpoints(frames: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in model.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    for name in ("broken", "broken.pth", "no-such-model"):
        assert name in refused(capsys, tmp_path / name, frames, "--mask", "tube:0.5")
