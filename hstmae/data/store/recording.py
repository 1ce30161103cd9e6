"""Recorded episodes into a store, one after the other as they come."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ...errors import DataError, StoreError, UsageError
from ...executor import Advance
from ...games import get_game
from ..sources.base import Report, SourceEpisode
from .building import StoreRun, StoreSummary, writing
from .manifest import META
from .packing import pack
from .writer import Packing

VAL_FRACTION = 0.05  # of a new store; a store that exists keeps its own rule


def record_into_store(
    episodes: Iterable[SourceEpisode],
    store: str | Path,
    *,
    game: str,
    kind: str,
    packing: Packing | None = None,
    progress: Advance | None = None,
    remark: Report | None = None,
) -> StoreSummary:
    """Add episodes to a store, which is made where there is none. An episode the store holds already is kept.

    The manifest is written at the end: a run that is stopped leaves the store as the last finished run did.

    Args:
        episodes: may be a generator; each is packed before the next is asked for.
        kind: what made them ("emulator", "gymnasium"), noted in the manifest.
        progress: called with the number of frames dealt with since the last call.
        remark: called with what is odd about an episode that was packed, e.g. that it ends early.
    Raises:
        UsageError: `store` is neither empty nor a store, is being written, or holds another game.
        DataError: an episode cannot be read, or the disk is full.
        StoreError: the store is damaged.
    """
    folder, advance = Path(store), progress or (lambda count: None)
    get_game(game)
    with writing(folder):
        run, splits = StoreRun(folder, game, kind, packing, fail=True), _splits(folder, game)
        try:
            for episode in episodes:
                if (job := run.job(episode)) is None:
                    advance(episode.size)
                else:
                    run.results += pack(job, advance)
                    if remark is not None:
                        for problem in run.results[-1].problems:
                            remark(problem)
        except DataError:  # of an episode: those before it are kept
            if run.results:
                run.finish(splits)
            raise
        return run.finish(splits)


def _splits(folder: Path, game: str) -> dict[str, object]:
    """The rule by which a store's episodes are split; a store of another game is refused before anything is played."""
    path = folder / META
    if not path.exists():
        return {"val_levels": [], "val_fraction": VAL_FRACTION}
    try:
        meta = json.loads(path.read_bytes())
        held, splits = meta["game"], meta["splits"]
        rule = {"val_levels": splits["val_levels"], "val_fraction": splits["val_fraction"]}
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged ({error!r}): run preprocess again") from None
    if held != game:
        raise UsageError(f"{folder} holds episodes of game '{held}'; give '{game}' a store of its own")
    return rule
