"""Live restoration and the fast palette head: the same pictures as the model's own head, whatever is asked of it."""

import copy

import numpy as np
import pytest
import torch

from hstmae.bundled import SAMPLES
from hstmae.config import ModelConfig
from hstmae.data import EpisodeStore
from hstmae.data.clips.clip import collate
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.episode import Episode
from hstmae.data.store.preprocessing import preprocess
from hstmae.errors import ConfigError, DataError
from hstmae.games import get_game
from hstmae.inference.live import RealtimeRestorer, Restored
from hstmae.inference.predictor import Predictor
from hstmae.models import build_model, load_pretrained
from hstmae.models.fast.head import FastHead, read_pixels
from hstmae.models.inputs import MaskedClips
from hstmae.models.mae import HSTMAE
from hstmae.models.masking import hidden_cubes, tube_visible
from hstmae.restoration.reconstruct import read_out, reconstruct

SMALL = ModelConfig(
    name="hst-mae-test", dims=(16, 16, 32, 32), depths=(1, 1, 1, 1), head_dim=16, decoder_dim=32, decoder_depth=1,
    decoder_head_dim=16, state_dim=16, texture_dim=8, pixel_dim=16, code_dim=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:

    folder = tmp_path_factory.mktemp("realtime") / "store"
    preprocess(SAMPLES / "sample_session", folder, workers=1, val_fraction=0)
    return EpisodeStore(folder)


@pytest.fixture(scope="module")
def episode(store: EpisodeStore) -> Episode:
    return store[0]


@pytest.fixture(scope="module")
def untrained() -> HSTMAE:
    """Random weights that all matter: without gates of zero, global codes and sprites far from nothing."""
    torch.manual_seed(0)
    model = build_model(SMALL).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(("head.", "canvas.")) and parameter.ndim > 1:
                parameter.mul_(3)
                parameter[parameter.abs() < 1e-6] = 0  # "nothing here" stays nothing
        model.head.colours.bias[impossible(model)] = -1e4  # as training does; the fast head never weighs them
    return model


def impossible(model: HSTMAE) -> torch.Tensor:
    """Palette entries that the game has no picture with, int64 [n]."""
    known = torch.tensor(model.game.shown_entries)
    assert 8 < len(known) < 64
    return torch.tensor([k for k in range(64) if k not in known])


def test_entries_that_the_game_cannot_show_are_never_painted(store: EpisodeStore) -> None:
    torch.manual_seed(1)
    model = build_model(SMALL).eval()
    never = impossible(model)
    with torch.inference_mode():
        model.head.colours.bias[never] = 50.0
        batch = collate([ClipDataset(store, clip=4, stride=1, crop=64).random(0)])
        visible = torch.arange(4)[None]
        queries = hidden_cubes(visible, 16, 2)
        done = model.decode(MaskedClips(batch.frames, visible, batch.state, origin=batch.origin), queries)
        head = FastHead.of(model)
        assert head is not None
        made = head.paint(done, batch.palette)
        model.game = copy.copy(model.game)
        model.game.shown_entries = ()
        free = FastHead(model).paint(done)
    assert not torch.isin(made.entry, never).any() and torch.isin(free.entry, never).all()
    assert made.confidence is not None and made.confidence.max() < 0.9  # of the entries left, not of all


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("crop", [0, 64])
def test_fast_head_paints_what_the_head_does(
    store: EpisodeStore, untrained: HSTMAE, level: int, crop: int, compiled: bool
) -> None:
    data = ClipDataset(store, clip=4, stride=1, crop=crop)
    batch = collate([data.random(0), data.random(1)])
    h, w = batch.frames.shape[2:]
    units = h * w // 256
    visible = tube_visible(2, units, 0.9, torch.Generator().manual_seed(1))
    queries = hidden_cubes(visible, units, 2)[:, ::3].flip(1)  # some of them, in another order
    clips = MaskedClips(batch.frames, visible, batch.state, torch.tensor([level, 2 - level]), batch.origin)
    head = FastHead(untrained, compiled)
    assert batch.palette is not None
    with torch.inference_mode():
        colour, entry, confidence = read_out(untrained(clips, queries), batch.palette[0])
        done = untrained.decode(clips, queries)
        made = head.paint(done, batch.palette)
        bare = head.paint(done)
    assert made.colour is not None and made.confidence is not None
    assert len(entry.unique()) > 8  # the comparison is worth something
    assert (made.entry == entry).float().mean() > 0.9999
    assert (made.colour.int() - colour.int()).abs().max() <= 1
    torch.testing.assert_close(made.confidence, confidence, atol=2e-3, rtol=2e-3)
    assert torch.equal(bare.entry, made.entry) and bare.colour is None and bare.confidence is None


def test_fast_head_of_the_bundled_model_on_the_sample_session(episode: Episode) -> None:
    predictor = Predictor(load_pretrained("hst-mae-nano"), ModelConfig())
    mask = np.zeros(episode.frames.shape, bool)
    mask[:, 32:208, 48:240] = True
    frames, mask = episode.frames[40:44], mask[40:44]
    fast = predictor.restore(frames, mask, state=episode.state[40:44] if episode.state is not None else None)
    predictor._fast_head = lambda: None  # type: ignore[method-assign]
    slow = predictor.restore(frames, mask, state=episode.state[40:44] if episode.state is not None else None)
    assert fast.indices is not None and slow.indices is not None
    assert (fast.indices == slow.indices).mean() > 0.9999
    assert np.abs(fast.rgb.astype(int) - slow.rgb.astype(int)).max() <= 1


def test_changed_weights_change_the_picture(store: EpisodeStore, untrained: HSTMAE) -> None:
    """Without its sprites the head paints something else: what is compared above includes them."""
    data = ClipDataset(store, clip=4, stride=1, crop=0)
    batch = collate([data.clip(0, 60)])
    visible = torch.arange(20)[None]
    queries = hidden_cubes(visible, 240, 2)
    head = FastHead.of(untrained)
    assert head is not None and head.canvas is not None
    with torch.inference_mode():
        done = untrained.decode(MaskedClips(batch.frames, visible, batch.state, origin=batch.origin), queries)
        before = head.paint(done).entry
        (begin, _), _ = head.canvas.sprites
        head.canvas.table[begin:] = 0
        after = head.paint(done).entry
    assert 0 < (before != after).float().mean() < 0.2


def test_read_pixels_survives_certainty() -> None:
    logits = torch.zeros(3, 64)
    logits[0, 5], logits[1, 63], logits[2] = 500.0, 0.1, -400.0
    logits[2, 7] = -1.0
    colours = torch.arange(256.0).view(64, 4)
    colours[:, 3] = 1
    entry, mean, confidence = read_pixels(logits.clone(), colours)
    assert entry.tolist() == [5, 63, 7]
    assert mean is not None and mean[0].tolist() == [20, 21, 22] and mean[2].tolist() == [28, 29, 30]
    assert confidence is not None and float(confidence[0]) == 1 and float(confidence[1]) == pytest.approx(0.01725, 1e-2)


def play(restorer: RealtimeRestorer, episode: Episode, mask: np.ndarray, count: int) -> list[Restored]:
    assert episode.state is not None
    made = [restorer.push(episode.frames[i], mask, episode.state[i]) for i in range(count)]
    return [m for m in [*made, restorer.flush()] if m is not None]


def hide(keep: int) -> np.ndarray:
    """Every `keep`-th unit stays."""
    return np.kron((np.arange(240) % keep != 0).reshape(15, 16), np.ones((16, 16), bool))


@pytest.mark.parametrize(("clip", "count", "sizes"), [(4, 9, [2, 2, 2, 2, 1]), (8, 12, [8, 4])])
def test_every_frame_comes_back_once_and_visible_pixels_stay(
    untrained: HSTMAE, episode: Episode, clip: int, count: int, sizes: list[int]
) -> None:
    mask = hide(9)
    made = play(RealtimeRestorer(untrained, clip, colours=True), episode, mask, count)
    assert [len(m.indices) for m in made] == sizes
    assert [m.first for m in made] == np.cumsum([0, *sizes[:-1]]).tolist()
    indices = np.concatenate([m.indices for m in made])
    rgb = np.concatenate([m.rgb for m in made if m.rgb is not None])
    truth = episode.frames[:count]
    assert np.array_equal(indices[:, ~mask], truth[:, ~mask])
    assert np.array_equal(rgb[:, ~mask], get_game("smb").palette[truth][:, ~mask])
    assert not np.array_equal(indices[:, mask], truth[:, mask])  # an untrained model cannot know


def test_stream_equals_the_whole_clip_restored_at_once(
    untrained: HSTMAE, store: EpisodeStore, episode: Episode
) -> None:
    """The newest slice of a sliding clip is what restoring those four frames gives for it, carried context included."""
    mask, at = hide(7), 30
    newest = play(RealtimeRestorer(untrained, 4), episode, mask, at + 4)[-1]
    batch = collate([ClipDataset(store, clip=4, stride=1, crop=0).clip(0, at)])
    visible = torch.arange(0, 240, 7)[None]
    whole = reconstruct(
        untrained, MaskedClips(batch.frames, visible, batch.state), hidden_cubes(visible, 240, 2), batch.palette
    )
    assert whole.indices is not None
    assert newest.first == at + 2
    assert (newest.indices == whole.indices[0, 2:]).mean() > 0.9999


def test_a_mask_that_changes_in_mid_stream(untrained: HSTMAE, episode: Episode) -> None:
    """What is kept from call to call fits the mask of the call, not of the one before."""
    first, second = hide(7), hide(7)[::-1].copy()
    assert episode.state is not None
    one, fresh = RealtimeRestorer(untrained, 4), RealtimeRestorer(untrained, 4)
    for i in range(4):
        one.push(episode.frames[i], first, episode.state[i])
    one.flush()
    after = [one.push(episode.frames[i], second, episode.state[i]) for i in range(4, 8)]
    alone = [fresh.push(episode.frames[i], second, episode.state[i]) for i in range(4, 8)]
    for a, b in zip(after, alone, strict=True):
        assert (a is None) == (b is None)
        assert a is None or b is None or np.array_equal(a.indices, b.indices)


def test_hidden_pixels_never_reach_the_picture(untrained: HSTMAE, episode: Episode) -> None:
    mask = hide(9)
    rng = np.random.default_rng(0)
    noisy = rng.integers(0, 64, episode.frames.shape, np.uint8)
    other = Episode(**{**vars(episode), "frames": np.where(mask, noisy, episode.frames)})
    a, b = (play(RealtimeRestorer(untrained, 4), e, mask, 6) for e in (episode, other))
    assert all(np.array_equal(x.indices, y.indices) for x, y in zip(a, b, strict=True))


def test_nothing_hidden_gives_the_input_and_odd_sizes_work(untrained: HSTMAE, episode: Episode) -> None:
    restorer = RealtimeRestorer(untrained, 4)
    for i in range(2):
        made = restorer.push(episode.frames[i, :50, :70], np.zeros((50, 70), bool))
    assert made is not None and np.array_equal(made.indices, episode.frames[:2, :50, :70])
    mask = np.zeros((50, 70), bool)
    mask[40:, 60:] = True
    restorer.push(episode.frames[2, :50, :70], mask)
    made = restorer.push(episode.frames[3, :50, :70], mask)
    assert made is not None and made.indices.shape == (2, 50, 70)
    assert np.array_equal(made.indices[:, ~mask], episode.frames[2:4, :50, :70][:, ~mask])


def test_context_is_carried_as_for_a_whole_episode(episode: Episode) -> None:
    game = get_game("smb")
    assert episode.state is not None
    whole = game.context(episode.state, np.arange(len(episode.state)))
    row = whole[0]
    for i in range(1, len(whole)):
        row = game.carry(row, episode.state[i - 1 : i + 1])
        assert np.array_equal(row, whole[i])


def test_wrong_use_is_told(untrained: HSTMAE, episode: Episode) -> None:
    with pytest.raises(ConfigError, match="even"):
        RealtimeRestorer(untrained, 5)
    with pytest.raises(ConfigError, match="hop"):
        RealtimeRestorer(untrained, 4, hop=6)
    with pytest.raises(ConfigError, match="level"):
        RealtimeRestorer(untrained, 4, level="some")
    restorer = RealtimeRestorer(untrained)
    mask = np.zeros((240, 256), bool)
    with pytest.raises(DataError, match="uint8"):
        restorer.push(episode.frames[0].astype(np.int16), mask)
    with pytest.raises(DataError, match="mask"):
        restorer.push(episode.frames[0], mask[1:])
    with pytest.raises(DataError, match="index 64"):
        restorer.push(np.full((240, 256), 64, np.uint8), mask)
    assert episode.state is not None
    restorer.push(episode.frames[0], mask, episode.state[0])
    with pytest.raises(DataError, match="state must come"):
        restorer.push(episode.frames[1], mask)
    with pytest.raises(DataError, match="one size"):
        restorer.push(episode.frames[1, :224], mask[:224], episode.state[1])
    assert restorer.flush() is not None and restorer.flush() is None


def test_compiled_stream_is_the_same(untrained: HSTMAE, episode: Episode, monkeypatch: pytest.MonkeyPatch) -> None:
    """What decodes is compiled once for the whole stream; that its graph is whole is tested with the models."""
    given = []
    monkeypatch.setattr(torch, "compile", lambda f, **options: given.append(f) or f)
    mask = hide(9)
    plain, compiled = (play(RealtimeRestorer(untrained, 2, compile=c), episode, mask, 4) for c in (False, True))
    same = [(a.indices == b.indices).mean() for a, b in zip(plain, compiled, strict=True)]
    assert min(same) > 0.9999, same  # an untrained model has near ties, which rounding decides
    assert given == [untrained.decode]
