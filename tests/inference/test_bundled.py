"""The models that come with the repository: whole, of the family's sizes, with an atlas and a card."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.bundled import CHECKPOINTS, SAMPLES
from hstmae.commands.demo import draw
from hstmae.data.sources.smb.listing import list_episodes
from hstmae.errors import CheckpointError
from hstmae.inference.loading import load
from hstmae.models.zoo import VARIANTS
from hstmae.restoration.result import Restoration


@pytest.mark.parametrize("name", ["hst-mae-nano", "hst-mae-pico", "hst-mae-tiny"])
def test_a_bundled_model_draws_what_it_was_trained_on(name: str, root) -> None:
    """Without recall and atlas, so that it is the network that is tested; fresh weights are far from 20 dB."""
    predictor = load(name, "cpu")
    assert predictor.config == VARIANTS[name]
    assert predictor.atlas is not None and len(predictor.atlas.maps) == 20
    assert f"# {name}\n" in (CHECKPOINTS / name / "README.md").read_text(encoding="utf-8")
    predictor.recall, predictor.atlas = False, None
    (episode,) = list_episodes(SAMPLES / "sample_session")
    played = [frame for frame in episode.frames(lambda problem: None, {}) if frame.state is not None][:8]
    frames = np.stack([frame.pixels for frame in played])
    state = np.stack([frame.state for frame in played if frame.state is not None])
    mask = np.zeros(frames.shape, bool)
    mask[:, 64:208, 32:160] = True
    context = predictor.game.context(state, np.array([frame.number for frame in played]))
    made = predictor.restore(frames, mask, predictor.game.palette, state, context, level="full")
    wrong = made.rgb[mask].astype(int) - predictor.game.palette[frames[mask]]
    assert 10 * np.log10(255**2 / np.square(wrong).mean()) > 20


def test_sprites_learned_by_another_version_are_refused() -> None:
    predictor = load("hst-mae-nano", "cpu")
    assert predictor.atlas is not None
    predictor.atlas.check_game(predictor.game, "atlas.npz")
    predictor.atlas.sprites.keys = np.pad(predictor.atlas.sprites.keys, ((0, 0), (0, 5)))
    with pytest.raises(CheckpointError, match="does not fit the game smb; learn it again"):
        predictor.atlas.check_game(predictor.game, "atlas.npz")


def test_the_demo_draws_what_has_no_posterior(tmp_path) -> None:
    truth = np.zeros((2, 16, 16), np.uint8)
    made = Restoration(np.zeros((*truth.shape, 3), np.uint8), truth, None)
    draw(tmp_path, truth, np.ones(truth.shape, bool), made, np.zeros((64, 3), np.uint8), 60.0)
    assert (tmp_path / "side_by_side.png").exists()
