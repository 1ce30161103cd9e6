"""Preprocessing: recorded episodes -> store. Parallel over episodes; killed at any moment, a rerun goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError, UsageError
from ...executor.on_ray import LOCAL
from ...games import get_game
from ...parts import Part
from ..sources.base import NothingUsable, Problem, SourceEpisode
from ..sources.finding import find_sources, game_of
from ..sources.video import VideoOptions
from .building import StoreRun, StoreSummary, writing
from .jobs import run_jobs
from .manifest import EPISODES
from .packing import pack
from .writer import Packing


def preprocess(
    input_dir: str | Path,
    output_dir: str | Path,
    *,
    game: str | None = None,
    on_error: str = "skip",
    workers: int = 0,
    val_levels: Sequence[str] = (),
    val_fraction: float = 0.05,
    packing: Packing | None = None,
    video: VideoOptions | None = None,
    lag: int | None = None,
    rebuild: bool = False,
    part: Part | None = None,
    progress: bool = False,
) -> StoreSummary:
    """Make a store from a folder of recordings or videos, or add to one.

    Episodes that the store already holds unchanged are kept; episodes of the store that are not in `input_dir` stay.
    The manifest is written last: until then EpisodeStore refuses the folder, or reads what the last finished run left.

    Args:
        game: what the input shows; None = the game that its files state, see `sources.finding`.
        on_error: "skip" leaves damaged files out and reports them in problems.jsonl; "fail" stops at the first.
        workers: processes; 0 = one per core.
        val_levels: levels that get the split "val_level".
        val_fraction: share of the other episodes that gets the split "val", drawn by their names.
        packing: how columns are packed.
        video: how footage is read that has no layout of its own.
        lag: the memory in the files of frame t belongs to the picture of frame t + lag; None = found for each episode.
        rebuild: pack every episode of the input again.
        part: only this share of the episodes; None = all.
        progress: show a progress bar on stderr.
    Raises:
        UsageError: impossible arguments, or `output_dir` is neither empty nor a store, or another run is writing it.
        NothingUsable: no frame of any episode can be used.
        DataError: no usable input, a damaged file under on_error="fail", or the disk is full.
        GameError: unknown game.
    """
    if on_error not in ("skip", "fail"):
        raise UsageError(f"on_error is '{on_error}'; expected skip or fail")
    if workers < 0:
        raise UsageError(f"workers is {workers}; expected 0 (one per core) or more")
    if not 0 <= val_fraction < 1:
        raise UsageError(f"val fraction is {val_fraction}; expected 0 or more, and less than 1")
    game, kind, found = find_episodes(Path(input_dir), game, video, lag)
    splits = {"val_levels": list(val_levels), "val_fraction": val_fraction}
    return build_store(
        found, Path(output_dir), game, kind, splits, on_error, workers, packing, rebuild=rebuild, part=part,
        progress=progress,
    )  # fmt: skip


def find_episodes(
    source: Path, game: str | None, video: VideoOptions | None = None, lag: int | None = None
) -> tuple[str, str, Sequence[SourceEpisode]]:
    """The game that is shown, the kind of source, and its episodes. Arguments and errors as of `preprocess`."""
    game = game or game_of(source)
    kind, found = find_sources(source, get_game(game), video or VideoOptions(), lag)
    return game, kind, found


def build_store(
    found: Sequence[SourceEpisode],
    store: Path,
    game: str,
    kind: str,
    splits: dict[str, Any],
    on_error: str = "skip",
    workers: int = 0,
    packing: Packing | None = None,
    *,
    rebuild: bool = False,
    part: Part | None = None,
    executor: str = LOCAL,
    progress: bool = False,
) -> StoreSummary:
    """`preprocess` with episodes that were found already.

    Args:
        kind: what they are, noted in the manifest.
        splits: the rule by which the store is split: {"val_levels": [...], "val_fraction": share}.
        executor: as of `run_jobs`; machines of a cluster write into the store, which all of them have to see.
    """
    from tqdm import tqdm

    every, problems = _without_namesakes(found, on_error)
    share = range(len(every)) if part is None else part.share(episode.size for episode in every)
    episodes, aside = every[share.start : share.stop], [*every[: share.start], *every[share.stop :]]
    if part is not None:
        problems = problems if part.number == 1 else []
        _refuse_others(store, episodes, part)
        if not episodes:
            raise NothingUsable(problems)
    with writing(store):
        run = StoreRun(store, game, kind, packing, on_error == "fail")
        todo = [job for job in (run.job(episode, rebuild) for episode in episodes) if job is not None]
        total = sum(episode.size for episode in episodes)
        there = total - sum(job.episode.size for job in todo)
        with tqdm(
            total=total, initial=there, unit="frame", unit_scale=True, desc="preprocess", disable=not progress
        ) as bar:
            run_jobs(
                pack, todo, run.results.append, store, workers=workers, executor=executor, advance=bar.update,
                others=every, aside=aside, known=run.pairings,
            )  # fmt: skip
        return run.finish(splits, problems)


def _refuse_others(store: Path, episodes: Sequence[SourceEpisode], part: Part) -> None:
    """A part's store holds its own episodes alone."""
    there = (store / EPISODES).iterdir() if (store / EPISODES).is_dir() else ()
    own = {episode.name for episode in episodes}
    foreign = sorted(path.name for path in there if not path.name.startswith(".") and path.name not in own)
    if foreign:
        raise UsageError(f"{store}: holds {foreign[0]}, which is not in part {part}; give the part a new folder")


def episodes_of(found: Sequence[SourceEpisode], on_error: str, part: Part) -> list[SourceEpisode]:
    """Those that a part packs."""
    every = _without_namesakes(found, on_error)[0]
    share = part.share(episode.size for episode in every)
    return every[share.start : share.stop]


def _without_namesakes(found: Sequence[SourceEpisode], on_error: str) -> tuple[list[SourceEpisode], list[Problem]]:
    """The first episode of each name. The largest come first, so that no worker is left with one at the end."""
    episodes: dict[str, SourceEpisode] = {}
    problems = []
    for episode in found:
        if episode.name not in episodes:
            episodes[episode.name] = episode
        elif on_error == "fail":
            raise DataError(f"two episodes are named {episode.name}: rename one of the folders")
        else:
            problems.append(Problem(episode.name, "", "a second episode of this name: left out"))
    return sorted(episodes.values(), key=lambda e: (-e.size, e.name)), problems
