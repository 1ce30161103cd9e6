"""Clips measured in several processes or on several machines, to the same figures.

This process reads the clips; the others load the model and measure what they are handed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..early import AUTO
from ..executor import Advance
from ..executor.on_ray import LOCAL, executor_at
from ..inference.side_by_side import same_as
from .evaluate import ClipFigures, EvaluateOptions, clips_of, measure, measure_clip

if TYPE_CHECKING:
    from ..data.clips.clip import Clip
    from ..data.clips.dataset import ClipDataset
    from ..inference.footage_restorer import FootageRestorer


@dataclass
class _Measuring:
    """What a process does: the model is loaded when the first clip comes."""

    load: Callable[[], FootageRestorer]
    fingerprint: str
    options: EvaluateOptions
    predictor: FootageRestorer | None = None

    def __call__(self, asked: tuple[int, Clip], advance: Advance) -> Iterator[ClipFigures]:
        if self.predictor is None:
            import torch

            torch.set_num_threads(1)  # every core has a process
            self.predictor = same_as(self.fingerprint, self.load())
        yield measure_clip(self.predictor, asked[1], asked[0], self.options)[0]
        advance(1)


def measure_side_by_side(
    predictor: FootageRestorer,
    load: Callable[[], FootageRestorer],
    dataset: ClipDataset,
    options: EvaluateOptions,
    numbers: Iterable[int],
    progress: Callable[[int], object],
    *,
    executor: str,
    workers: int,
) -> list[ClipFigures]:
    """What `measure` gives, in the order of `numbers`.

    Args:
        load: makes the same predictor again, in another process; picklable.
        executor, workers: see `executor_at`.
    Raises:
        DataError: a process died, there is no such cluster, or a machine of it has another model of this name.
        As `measure`.
    """
    picks, figures = clips_of(dataset, options), list[ClipFigures]()
    work = _Measuring(load, predictor.fingerprint(), options)
    numbers = [*numbers]
    with executor_at(executor, work, figures.append, workers=workers, jobs=len(numbers), advance=progress) as running:
        for number in numbers:
            running.submit((number, dataset.clip(*picks[number])))
        running.finish()
    return figures


def measuring(
    predictor: FootageRestorer, load: tuple[str, str, str | None], dataset: ClipDataset, options: EvaluateOptions, *,
    executor: str, workers: int,
) -> Callable[[Iterable[int], Callable[[int], object]], Iterable[ClipFigures]]:  # fmt: skip
    """What measures clips of some numbers, and tells of progress: in this process, where one on this machine is enough.

    Args:
        load: name, device and atlas by which other processes load the predictor.
        executor, workers: see `executor_at`.
    """
    if workers <= 1 and executor == LOCAL:
        return partial(measure, predictor, dataset, options)
    again = partial(_load, *load, predictor.recall, predictor.game.name)
    return partial(measure_side_by_side, predictor, again, dataset, options, executor=executor, workers=workers)


def _load(name: str, device: str, atlas: str | None, recall: bool, game: str) -> FootageRestorer:
    if name == AUTO:
        from ..inference.choosing import without_model

        predictor = without_model(game)
    else:
        from ..inference.loading import load

        predictor = load(name, device, atlas)
    predictor.recall &= recall
    return predictor
