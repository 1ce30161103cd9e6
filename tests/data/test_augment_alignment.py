"""Augmented clips of a real session: what the state says lies where the picture shows it, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.state_check import StateCheck, check_clip
from hstmae.bundled import SAMPLES
from hstmae.data.clips.augment import flip_origin
from hstmae.data.clips.clip import Clip
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.clips.resident import ResidentClips
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.data.store.writer import Packing
from hstmae.errors import DataError
from hstmae.games import get_game
from hstmae.games.pixels import View

GAME = get_game("smb")
WIDTH = GAME.native_size[1]
KINDS = ("sprites", "hud digits", "tiles")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    out = tmp_path_factory.mktemp("alignment") / "store"
    preprocess(SAMPLES / "sample_session", out, workers=1, packing=Packing(level=1), val_fraction=0.0)
    return EpisodeStore(out)


@pytest.fixture(scope="module")
def learned(store: EpisodeStore) -> StateCheck:
    """How sprites, digits and tiles look, from whole frames as they were recorded."""
    check = StateCheck()
    data = ClipDataset(store, clip=8, stride=1, crop=0)
    for episode, start in data.sequential():
        check_clip(check, data.clip(episode, start), learn=True)
    return check


def shares(learned: StateCheck, clips: list[Clip], mirrored: bool = False) -> dict[str, float]:
    """Share of what agrees, by kind of evidence."""
    check = replace(learned, counts={})
    for clip in clips:
        check_clip(check, clip, learn=False, mirrored=mirrored)
    counts = check.result()
    assert all(counts[kind][1] >= 30 for kind in KINDS), counts
    return {kind: agree / total for kind, (agree, total) in counts.items()}


def right(figures: dict[str, float]) -> bool:
    return figures["sprites"] >= 0.99 and figures["hud digits"] >= 0.98 and figures["tiles"] >= 0.99


def drawn(store: EpisodeStore, **options: float) -> tuple[ClipDataset, list[Clip]]:
    """Random 160x160 crops whose upper part shows the status bar often enough."""
    data = ClipDataset(store, clip=8, stride=2, crop=160, seed=5, **options)  # type: ignore[arg-type]
    return data, [data.random(index) for index in range(12)]


def test_whole_frames_agree(store: EpisodeStore, learned: StateCheck) -> None:
    data = ClipDataset(store, clip=8, stride=1, crop=0)
    assert right(shares(learned, [data.clip(e, s) for e, s in data.sequential()]))


def test_crops_agree_and_a_crop_of_the_pixels_alone_does_not(store: EpisodeStore, learned: StateCheck) -> None:
    _, clips = drawn(store)
    assert right(shares(learned, clips)) and len({clip.origin for clip in clips}) > 6
    for dy, dx in ((0, 1), (1, 0), (8, 8)):
        moved = [replace(clip, origin=(clip.origin[0] - dy, clip.origin[1] - dx)) for clip in clips]
        assert shares(learned, moved)["tiles"] < 0.9


def test_mirrored_crops_agree_with_the_mirrored_state_only(store: EpisodeStore, learned: StateCheck) -> None:
    _, clips = drawn(store, flip=1.0)
    assert right(shares(learned, clips, mirrored=True))
    as_it_was = [
        replace(clip, origin=flip_origin(clip.origin, WIDTH, 160), state=clip.state and GAME.flip(clip.state))
        for clip in clips
    ]
    origin_only = [replace(bad, origin=clip.origin) for bad, clip in zip(as_it_was, clips, strict=True)]
    for bad in (as_it_was, origin_only):
        figures = shares(learned, bad, mirrored=True)
        assert figures["tiles"] < 0.9 and not right(figures)
    assert not right(shares(learned, clips, mirrored=False))  # textures are mirrored with the picture


def test_clips_kept_in_memory_agree_too(store: EpisodeStore, learned: StateCheck) -> None:
    data, clips = drawn(store, flip=1.0, palette_jitter=0.5)
    batch = ResidentClips(data, "cpu").batch(0, len(clips))
    assert batch.state is not None and batch.palette is not None
    made = [
        replace(
            clip,
            frames=batch.frames[i].numpy(),
            palette=batch.palette[i].numpy(),
            origin=(int(batch.origin[i, 0]), int(batch.origin[i, 1])),
            state=batch.state.map(lambda a, i=i: a[i].numpy()),
        )
        for i, clip in enumerate(clips)
    ]
    assert right(shares(learned, made, mirrored=True))


def test_other_colours_leave_entries_and_state_alone(store: EpisodeStore, learned: StateCheck) -> None:
    _, plain = drawn(store)
    _, jittered = drawn(store, palette_jitter=0.5)
    for one, other in zip(plain, jittered, strict=True):
        assert np.array_equal(one.frames, other.frames) and one.origin == other.origin
        assert one.palette is not None and other.palette is not None
        assert not np.array_equal(one.palette, other.palette)
    assert right(shares(learned, jittered))


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_regions_are_cut_and_mirrored_with_the_picture(store: EpisodeStore, flip: float) -> None:
    _, clips = drawn(store, flip=flip)
    whole = ClipDataset(store, clip=8, stride=2, crop=0)
    for clip in clips[:4]:
        full = whole.clip(clip.episode, int(clip.indices[0]))
        wanted = GAME.region_map(full.state, 8)
        wanted = wanted[:, :, ::-1] if flip else wanted
        y, x = clip.origin
        found = View(clip.frames, np.zeros(clip.frames.shape, bool), GAME, clip.state, "full", clip.origin).regions
        assert np.array_equal(found, wanted[:, y : y + 160, x : x + 160])
        assert len(np.unique(found)) > 2
        full_frames = full.frames[:, :, ::-1] if flip else full.frames
        assert np.array_equal(clip.frames, full_frames[:, y : y + 160, x : x + 160])


def test_a_clip_without_state_cannot_be_checked(store: EpisodeStore, learned: StateCheck) -> None:
    _, clips = drawn(store)
    with pytest.raises(DataError, match="no state"):
        check_clip(learned, replace(clips[0], state=None), learn=False)
