"""All clips of a programme, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Protocol

import numpy as np

from ..data.episode import Episode
from ..data.store.manifest import EpisodeInfo
from ..errors import GameError
from .drawing import Drawn, Load, draw
from .programme import Programme
from .scene import Others, Scene
from .splicing import CannotBeDone


class Recordings(Protocol):
    """What is edited: a store, or a .hst file as one."""

    @property
    def hash(self) -> str: ...
    def infos(self) -> list[EpisodeInfo]: ...
    def read(self, episode: int | str, frame_indices: Any) -> Episode: ...
    def column(self, episode: int | str, name: str, rows: Any, /) -> np.ndarray: ...


def make_clips(
    store: Recordings, programme: Programme, restorer: Load, seed: int, clips: list[dict[str, Any]],
    min_sure: float = 0.0, whole: bool = False,
) -> Iterator[Drawn]:  # fmt: skip
    """Edit and draw `programme.variants` clips of each episode; each is noted in `clips`, also where it is left out.

    Args:
        restorer: gives what draws; asked when something has to be drawn.
        seed: of all that is drawn: equal ones make equal clips.
        min_sure: share of pixels that must be sure.
        whole: clips whose edits break something are left out.
    Raises:
        DataError: the recordings have no states; GameError: the game does not allow an edit.
    """
    fingerprint = cache(lambda: restorer().fingerprint())
    infos = store.infos()
    known = {info.name: info.frames for info in infos if "state" in info.columns}
    others = Others(known, lambda name: store.column(name, "state", np.arange(known[name])), store.read)
    for number, info in enumerate(infos):
        for copy in range(programme.variants):
            random = np.random.default_rng([seed, number, copy])
            need = programme.frames * programme.stride
            begin = min(programme.start(random), max(info.frames - max(need, 1), 0))
            rows = range(min(begin + need, info.frames) if need else info.frames)
            record: dict[str, Any] = {"of": info.name, "first": begin, "seed": seed, "variant": copy}
            note = {"name": f"{info.name}_edit{copy}", **record}
            scene = Scene.of(store.read(info.name, rows), begin, limited=len(rows) < info.frames or need > 0)
            try:
                programme.apply(scene, random, others)
            except CannotBeDone as error:
                clips.append(note | {"kept": False, "why": str(error)})
                continue
            except GameError as error:
                raise GameError(f"{info.name}: '{scene.game.name}' {error}") from None
            if programme.frames and len(scene.state) > begin + programme.frames:
                scene.keep(np.arange(begin + programme.frames), begin)
            if whole and (breaks := scene.breaks()):
                why = f"it breaks what was whole: {next(iter(breaks))}"
                clips.append(note | {"kept": False, "why": why, "breaks": breaks, "frames": len(scene.state) - begin})
                continue
            clip = draw(restorer, scene, note["name"], record, fingerprint)
            clip.about = [store.hash, info.name, len(rows), seed, copy, programme.text, clip.drawn_by]
            why = f"{clip.sure:.2%} sure" if clip.sure < min_sure else ""
            clips.append(
                note | clip.record | {"frames": clip.size, "confidence": clip.confidence.tolist(), "kept": not why}
                | ({"why": why} if why else {})
            )  # fmt: skip
            if not why:
                yield clip
