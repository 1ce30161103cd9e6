"""Offers of motion recall for some missing pixels of damaged clips, for `train_motion.py`: of many games, or of a game
whose scenery an atlas knows and takes away (see `hstmae.restoration.without_state`)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from hstmae.atlas.known_pixels import from_atlas
from hstmae.atlas.locate import Locator
from hstmae.data.store.reader import EpisodeStore
from hstmae.games.pixels import View
from hstmae.inference.loading import load
from hstmae.masks.damage import block_damage, logo_damage, lost_frames, scratch_damage
from hstmae.motion.features import USUAL, Choices
from hstmae.motion.recall import Around
from hstmae.motion.scene import Points, Scene
from hstmae.restoration.without_state import camera_of, cleared, scenery_of

FRAMES, SIDE = 96, 256  # of a clip
PIECES = 3  # clips of a recording; the last one is for lost frames alone
TESTED, PIXELS = 6, 240  # frames of a clip and damage, and missing pixels of each
LOST_TESTED, LOOKED_AT = 14, 4000  # the same of lost frames ...
LOST_PIXELS = (220, 40)  # ... of which so many are taken, of those with several colours on offer, and of the others
DAMAGES = ("logo", "corner logo", "blocks", "rectangles", "scratches", "lost frames", "random", "tube")
LOST = DAMAGES.index("lost frames")
NOT_DRAWN = ("logo", "tube")  # where scenery is known motion recall is not asked for so much of a picture

# Palette indices and mask of a clip -> the clip without what the atlas tells of it, masked and whole, and the camera
WithoutScenery = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray | None]]


def damage(name: str, size: tuple[int, int, int], seed: int) -> np.ndarray:
    """bool [T, H, W], True = missing; shares and sizes are drawn."""
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    time_, height, width = size
    mask = np.zeros(size, bool)
    if name == "logo":
        area = rng.uniform(0.02, 0.1) * height * width
        rows = int(np.clip((area / rng.uniform(1, 3)) ** 0.5, 1, height))
        columns = int(np.clip(area / rows, 1, width))
        top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
        mask[:, top : top + rows, left : left + columns] = True
    elif name in ("blocks", "tube"):
        side, hold = int(rng.choice([8, 16, 24])), int(rng.choice([1, 1, 2, 4]))
        share, hold, side = (rng.uniform(0.04, 0.12), hold, side) if name == "blocks" else (0.9, 16, 16)
        for t in range(0, time_, hold):
            some = rng.random((-(-height // side), -(-width // side))) < share
            mask[t : t + hold] = some.repeat(side, 0).repeat(side, 1)[:height, :width]
    elif name == "random":
        mask = rng.random(size) < rng.uniform(0.3, 0.7)
    else:
        draw, share = {
            "corner logo": (logo_damage, 0.08),
            "rectangles": (block_damage, 0.08),
            "scratches": (scratch_damage, 0.03),
            "lost frames": (lost_frames, 0.375),
        }[name]
        mask = draw(size, share, generator).numpy()
    return mask


def compressed(frames: np.ndarray, crf: int) -> np.ndarray:
    """As a film of H.264 shows them; sides are cut to even numbers."""
    import av

    height, width = (n // 2 * 2 for n in frames.shape[1:3])
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as film:
        stream = film.add_stream("libx264", rate=30, options={"crf": str(crf), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames[:, :height, :width]:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        film.mux(stream.encode())
    file.seek(0)
    with av.open(file) as film:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])


def some_points(mask: np.ndarray, most: int, rng: np.random.Generator) -> Points:
    place = np.flatnonzero(mask)
    chosen = np.zeros(mask.size, bool)
    chosen[rng.choice(place, min(most, len(place)), replace=False)] = True
    return Points.of(chosen.reshape(mask.shape))


def picked(found: Choices, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Some of the open pixels of a lost frame, and how many each stands for, as a share of the frame."""
    rows = found.rows
    other = rows.kind < USUAL
    low = np.minimum.reduceat(np.where(other, rows.key, np.uint32(0xFFFFFFFF)), rows.start[:-1])
    high = np.maximum.reduceat(np.where(other, rows.key, np.uint32(0)), rows.start[:-1])
    chosen, weight = [], []
    for some, most in zip((np.flatnonzero(low != high), np.flatnonzero(low == high)), LOST_PIXELS, strict=True):
        count = min(most, len(some))
        chosen.append(rng.choice(some, count, replace=False))
        weight.append(np.full(count, len(some) / max(count, 1) / len(found.points.place)))
    return np.concatenate(chosen), np.concatenate(weight).astype(np.float32)


def rows_of(
    clip: np.ndarray, number: int, piece: int, without_scenery: WithoutScenery | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """Offers for some missing pixels of every damage of a clip; of the last piece of a recording of lost frames.

    Args:
        clip: uint8 [T, H, W, 3]; with `without_scenery`, palette indices uint8 [T, H, W].
    """
    n = number * PIECES + piece
    rng = np.random.default_rng(n)
    for k, name in enumerate(DAMAGES):
        if k != LOST and (piece == PIECES - 1 or (without_scenery and name in NOT_DRAWN)):
            continue
        mask = damage(name, clip.shape[:3], n * 100 + k)
        given, frames, camera = (clip, clip, None) if without_scenery is None else without_scenery(clip, mask)
        scene = Scene(np.where(mask[..., None], np.uint8(0), given), mask, camera=camera)
        around = Around(scene)
        damaged = np.flatnonzero(mask.any((1, 2)))
        lost = k == LOST
        tested, pixels = (LOST_TESTED, LOOKED_AT) if lost else (TESTED, PIXELS)
        for t in rng.choice(damaged, min(tested, len(damaged)), replace=False).tolist():
            points = some_points(mask[t], pixels, rng)
            found = around.choices(t, points)
            if not len(found.open):
                continue
            every = np.arange(len(found.open)), np.full(len(found.open), 1 / len(points.place), np.float32)
            chosen, weight = picked(found, rng) if lost else every
            count, rows = np.diff(found.rows.start)[chosen], found.rows
            own = np.concatenate([np.arange(rows.start[i], rows.start[i + 1]) for i in chosen])
            yield {
                "group": np.full(len(chosen), n * len(DAMAGES) + k), "count": count.astype(np.int16),
                "frame": np.full(len(chosen), t, np.int16), "weight": weight,
                "truth": frames[t].reshape(-1, 3)[points.place[found.open[chosen]]],
                "numbers": rows.numbers[own].astype(np.float16),
                "rgb": rows.rgb[own].astype(np.float16), "key": rows.key[own], "kind": rows.kind[own],
            }  # fmt: skip


def without_scenery(model: str) -> WithoutScenery:
    """By the atlas of a model, which is not shown the masked pixels."""
    restorer = load(model)
    assert restorer.atlas is not None
    locator = Locator(restorer.atlas, restorer.game)

    def cut(clip: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        view = View(np.where(mask, np.uint8(0), clip), mask, restorer.game, None, "none")
        claim, _ = from_atlas(view, locator)
        scenery, _ = scenery_of(view, claim)
        whole = cleared(replace(view, frames=clip), claim, scenery)
        return cleared(view, claim, scenery), whole, camera_of(claim)

    return cut


def gather(store: EpisodeStore, folder: Path, part: int, parts: int, model: str | None = None) -> None:
    """One file for every clip that is not there yet; with a model, of its game and without scenery."""
    folder.mkdir(parents=True, exist_ok=True)
    cut = None if model is None else without_scenery(model)
    for number, piece in ((n, p) for p in range(PIECES) for n in range(part, len(store), parts)):
        info, file = store.infos()[number], folder / f"{number:04d}-{piece}.npz"
        if file.exists() or (cut and info.split != "train"):
            continue
        first = int(np.random.default_rng(number).integers(max(1, info.frames - FRAMES)))
        first = (first + piece * info.frames // PIECES) % max(1, info.frames - FRAMES)
        last = min(info.frames, first + FRAMES)
        frames = np.ascontiguousarray(store.read(number, range(first, last), columns=()).frames[:, :SIDE, :SIDE])
        if cut is None and number // 2 % 3 == 2:
            frames = compressed(frames, (18, 23, 28)[(number + piece) % 3])
        made = list(rows_of(frames, number, piece, cut))
        if not made:
            continue
        whole = {name: np.concatenate([one[name] for one in made]) for name in made[0]}
        np.savez_compressed(file.with_suffix(".part.npz"), **whole)  # type: ignore[arg-type]
        file.with_suffix(".part.npz").rename(file)
        print(f"{number + 1} of {len(store)}, {piece + 1} of {PIECES}: {info.name}", flush=True)
