"""The evaluation loop with a network whose answers are known, and the commands with a small real one."""

import json

import numpy as np
import pytest
import torch

from hstmae.cli import main
from hstmae.config import ModelConfig
from hstmae.data.clips.clip import Clip
from hstmae.data.episode import Episode
from hstmae.data.sources.smb.dataset_writer import write_smbdataset
from hstmae.errors import DataError, UsageError
from hstmae.evaluation.evaluate import EvaluateOptions, evaluate
from hstmae.evaluation.perceptual import Perceived
from hstmae.games import get_game
from hstmae.games.pixels import View
from hstmae.inference.predictor import Predictor
from hstmae.masks.tubes import numbered_tube

GAME = get_game("smb")
COLOURS = (0x22, 0x17, 0x30, 0x0F)


class StatePainter:
    """Paints every frame in the colour that byte 0x74E of its state names; without state, in colour 1."""

    def __call__(self, clips, queries):
        frames, state = clips.frames, clips.state
        assert (frames.reshape(-1) == 0).any()  # hidden pixels come cleared
        told = torch.ones(frames.shape[:2], dtype=torch.long) if state is None else state.globals[..., 0].long()
        slices = (queries % (frames.shape[1] // 2))[..., None] * 2 + torch.arange(2)
        colour = told.gather(1, slices.flatten(1)).view(*queries.shape, 2, 1, 1).expand(*queries.shape, 2, 16, 16)
        return torch.nn.functional.one_hot(colour, 64).float() * 50


class Clips:
    """Stands in for ClipDataset: clip k shows one colour per frame, named by its state."""

    def __init__(self, count: int, with_state: bool = True) -> None:
        self.count, self.with_state = count, with_state

    def sequential(self, count, seed):
        return [(k, 0) for k in range(self.count)][:count]

    def clip(self, episode: int, start: int) -> Clip:
        colours = np.array([COLOURS[(episode + t) % 4] for t in range(4)], np.uint8)
        state = np.zeros((4, 2048), np.uint8)
        state[:, 0x74E] = colours
        frames = np.broadcast_to(colours[:, None, None], (4, 64, 64)).copy()
        decoded = GAME.decode(state, None) if self.with_state else None
        return Clip(frames, GAME.palette, (16, 32), decoded, f"e{episode}", np.arange(4))


def run(clips: Clips, **options) -> dict:
    return evaluate(Predictor(StatePainter(), ModelConfig()), clips, EvaluateOptions(**options))


def test_a_network_that_reads_the_state_right_is_exact() -> None:
    report = run(Clips(3), ratio=0.75)
    assert report["exact_match"] == 1.0 and report["psnr_masked"] == 100.0 and report["mse"] == 0.0
    assert report["ssim"] == pytest.approx(1.0, abs=1e-5)
    assert report["clips"] == 3 and report["masked_pixels"] == 3 * 12 * 4 * 256
    assert report["baselines"]["mode_colour"]["exact_match"] < 0.7  # one colour for four frames
    assert report["lpips"] is None and report["fid"] is None and report["lpips_reason"] and report["fid_reason"]


def test_without_state_it_is_wrong_and_the_camera_filler_is_null_with_a_reason() -> None:
    report = run(Clips(2), state="none")
    assert report["exact_match"] == 0.0 and report["psnr_masked"] < 20
    assert report["baselines"]["camera_copy"] is None and "camera" in report["baselines"]["camera_copy_reason"]
    assert run(Clips(2))["baselines"]["camera_copy"]["coverage"] == 0.0  # the camera stands still


def test_what_networks_say_of_clips_is_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)

    def perceive(folder: str, made: np.ndarray, truth: np.ndarray, hidden: np.ndarray) -> Perceived:
        assert folder == "weights" and made.shape == truth.shape == (*hidden.shape, 3)
        both = draw.normal(0, 1, (2, 2, 2048)).astype(np.float32)
        return Perceived(3.0, 2, (both[0], both[1]))

    monkeypatch.setattr("hstmae.evaluation.perceptual.perceive", perceive)
    report = run(Clips(2), perceptual="weights")
    assert report["lpips"] == 1.5 and report["fid"] > 0 and report["lpips_reason"] is report["fid_reason"] is None


def test_figures_depend_on_the_seed() -> None:
    assert json.dumps(run(Clips(3), state="compact"))  # plain data
    tubes = [numbered_tube((2, 240, 256), 0.9, seed, k) for seed in (0, 1) for k in (0, 1)]
    assert len({t.tobytes() for t in tubes}) == 4
    for tube in tubes:
        units = tube.reshape(2, 15, 16, 16, 16)
        assert (units.all((2, 4)) == units.any((2, 4))).all()  # whole positions ...
        assert (~units[:, :, 0, :, 0]).sum() == 2 * 24 and (tube[0] == tube[1]).all()  # ... the same in all frames


def test_fixed_pixels_follow_the_crop() -> None:
    fixed = View(np.zeros((2, 64, 64), np.uint8), np.zeros((2, 64, 64), bool), GAME, origin=(16, 32)).fixed
    assert fixed[:, :16].all() and not fixed[:, 16:].any()  # the status bar ends at native row 32


def test_impossible_requests() -> None:
    for bad in ({"ratio": 1.0}, {"state": "some"}, {"clips": -1}, {"seed": -1}):
        with pytest.raises(UsageError):
            EvaluateOptions(**bad)
    with pytest.raises(DataError, match="no clip"):
        run(Clips(0))
    with pytest.raises(DataError, match="--state none"):
        run(Clips(1, with_state=False))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with the nano model and random weights."""
    from hstmae.models.zoo import build_model, save_pretrained

    torch.manual_seed(0)
    net = build_model("hst-mae-nano", depths=(1, 1, 1, 1), decoder_depth=1)
    folder = tmp_path_factory.mktemp("model") / "net"
    save_pretrained(net.state_dict(), net.config, folder)
    return folder


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Six real-looking frames with memory, in smbdataset form."""
    rng = np.random.default_rng(0)
    frames = np.full((6, 240, 256), 0x22, np.uint8)
    frames[:, 200:] = rng.choice(np.array([0x17, 0x0F], np.uint8), (6, 40, 256))
    state = rng.integers(0, 256, (6, 2048)).astype(np.uint8)
    clip = Episode("e", "smb", frames, GAME.palette, state, None, np.zeros(6, np.uint8), np.arange(1, 7), level="1-1")
    return write_smbdataset(clip, tmp_path_factory.mktemp("session"))


KEYS = "psnr_masked psnr_full exact_match ssim ssim_intra ssim_inter mse lpips fid clips mask ratio state model split"


def test_evaluate_command_on_a_folder_of_frames(model, session, tmp_path, capsys) -> None:
    args = ["evaluate", "--checkpoint", str(model), "--test_data", str(session), "--clip", "2", "--stride", "1"]
    assert main([*args, "--crop", "64", "--clips", "2", "--json", str(tmp_path / "a.json")]) == 0
    report = json.loads((tmp_path / "a.json").read_text())
    assert set(KEYS.split()) <= set(report) and report["clips"] == 2 and report["split"] == "all"
    shown = capsys.readouterr().out
    assert "mode_colour" in shown and "camera_copy" in shown and "state full" in shown
    assert main([*args, "--crop", "64", "--clips", "2", "--json", str(tmp_path / "b.json")]) == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize(
    "extra",
    [
        ["--ratio", "2"],
        ["--ratio", "0.001"],
        ["--crop", "50"],
        ["--split", "val"],
        ["--clip", "3"],
        ["--checkpoint", "none-such"],
    ],
)
def test_evaluate_command_refuses_what_it_cannot_do(model, session, extra, capsys) -> None:
    args = ["evaluate", "--checkpoint", str(model), "--test_data", str(session), "--clip", "2", "--stride", "1"]
    assert main([*args, *extra]) == 2
    assert "error" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_told(model, session, monkeypatch, capsys) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["evaluate", "--checkpoint", str(model), "--test_data", str(session), "--device", "cuda"]) == 2
    assert "no CUDA device" in capsys.readouterr().err


def test_restore_command_with_a_synthetic_mask(model, session, tmp_path, capsys) -> None:
    args = ["restore", str(session), "--checkpoint", str(model), "--out", str(tmp_path / "out"), "--mask", "tube:0.9:1"]
    assert main([*args, "--json", str(tmp_path / "a.json")]) == 0
    report = json.loads((tmp_path / "a.json").read_text())
    assert report["frames"] == 6 and report["state"] == ["full"] and report["masked_share"] == pytest.approx(0.9)
    assert report["psnr_masked"] > 0 and 0 <= report["exact_match"] <= 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in session.iterdir())
    assert "6 of 6 frames" in capsys.readouterr().out
    assert main(args) == 2  # the output is there already
    assert main(["restore", str(session), "--checkpoint", str(model), "--out", str(tmp_path / "none")]) == 2
    assert "nothing is missing" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert main(["restore", str(session), "--out", str(session), "--mask", "tube:0.5"]) == 2


def test_demo_command(model, session, tmp_path, capsys) -> None:
    out = tmp_path / "demo"
    args = ["demo", "--checkpoint", str(model), "--input", str(session), "--frames", "2", "--out", str(out)]
    assert main(args) == 0
    assert main(args) == 2 and "--overwrite" in capsys.readouterr().err
    assert main([*args, "--overwrite"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("demo: hid 90%") and "mode_colour" in shown
    names = {p.name for p in out.iterdir()}
    assert names == {"side_by_side.png", "sheet.png", "animation.gif", "metrics.json", "frames"}
    assert len(list((out / "frames").iterdir())) == 2


def test_demo_command_on_one_masked_picture(model, session, tmp_path, capsys) -> None:
    from PIL import Image

    file = sorted(session.iterdir())[0]
    data = file.read_bytes()
    with Image.open(file) as picture:
        rgba = np.asarray(picture.convert("RGBA")).copy()
    rgba[40:80, 60:100] = 0
    Image.fromarray(rgba).save(tmp_path / "masked.png")
    with (tmp_path / "masked.png").open("ab") as masked:
        masked.write(data[data.index(b"IEND") + 8 :])
    args = ["demo", "--checkpoint", str(model), "--input_image", str(tmp_path / "masked.png")]
    assert main([*args, "--out", str(tmp_path / "out")]) == 0
    assert "state full" in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "masked.png") as picture:
        after = np.asarray(picture)
    kept = np.ones(rgba.shape[:2], bool)
    kept[40:80, 60:100] = False
    np.testing.assert_array_equal(after[kept], rgba[kept])
    assert (after[..., 3] == 255).all() and (tmp_path / "out" / "compare" / "masked.png").is_file()
