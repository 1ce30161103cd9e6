"""One training run on several devices: ranks started by `torchrun`, what they share, and how they agree.

Every rank loads its own part of a step's clips and then gathers the clips of all, a few megabytes of palette indices,
so that masks are drawn for the whole batch everywhere and are the same on any number of ranks. Decisions (when to stop,
which validation was best) are those of all ranks or of the first, so that no rank waits for one that has left.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ...data.clips.clip import AheadSource, BatchSource, ClipBatch
from ...errors import ConfigError
from ..masks.inputs import StepInputs

TIMEOUT = timedelta(minutes=30)  # others wait this long while the first rank validates or writes


@dataclass(frozen=True)
class World:
    """The ranks of a run. The first one logs, validates and writes."""

    rank: int = 0  # which one this is, 0 .. size - 1
    size: int = 1  # 1 = no process group is needed
    local: int = 0  # position on this machine, which is also the number of its GPU

    @property
    def first(self) -> bool:
        return self.rank == 0

    def gather(self, part: Tensor) -> Tensor:
        """[b, ...] of every rank, all of the same shape and type -> [size * b, ...] in order of ranks, on each."""
        if self.size == 1:
            return part
        if part.numel() == 0:
            return part.new_empty(self.size * part.shape[0], *part.shape[1:])
        sent = part.detach().contiguous().view(-1).view(torch.uint8)  # NCCL does not know every integer type
        found = [torch.empty_like(sent) for _ in range(self.size)]
        dist.all_gather(found, sent)
        return torch.cat(found).view(part.dtype).view(self.size * part.shape[0], *part.shape[1:])

    def gather_batch(self, batch: ClipBatch) -> ClipBatch:
        """The clips of all ranks as one batch, whose names stay empty. With state only where every rank has it."""
        if self.size == 1:
            return batch
        names = [""] * (self.size * len(batch))
        if self.largest(int(batch.state is None)):
            batch = replace(batch, state=None)
        return replace(batch.map(self.gather), episodes=names)

    def largest(self, value: int) -> int:
        """The largest of the ranks' numbers. Exchanged on the CPU, so that no device has to be waited for."""
        if self.size == 1:
            return value
        number = torch.tensor(value)
        dist.all_reduce(number, dist.ReduceOp.MAX)
        return int(number)

    def mean(self, values: Tensor) -> Tensor:
        """Mean over ranks of a floating tensor."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
            values /= self.size
        return values

    def of_first(self, values: list[float]) -> list[float]:
        """The first rank's values, on every rank; the others give as many numbers of any value."""
        if self.size == 1:
            return values
        sent = torch.tensor(values, dtype=torch.float64)
        dist.broadcast(sent, 0)
        return sent.tolist()

    def wait(self) -> None:
        """Return once every rank is here."""
        self.largest(0)

    @torch.no_grad()
    def join_marks(self, model: nn.Module) -> None:
        """Give every rank the largest value of each whole-number buffer: marks of what any of them has seen."""
        if self.size > 1:
            for buffer in model.buffers():
                if not buffer.is_floating_point() and not buffer.is_complex():
                    dist.all_reduce(buffer, dist.ReduceOp.MAX)


class RankClips:
    """The part of every batch that one rank loads: clips step * B + rank * b ... of b = B / size."""

    def __init__(self, clips: BatchSource, world: World) -> None:
        self._clips, self._world = clips, world

    def batch(self, step: int, batch_size: int) -> ClipBatch:
        return self._clips.batch(step * self._world.size + self._world.rank, batch_size)

    def ahead(self, step: int, batch_size: int) -> None:
        if isinstance(self._clips, AheadSource):
            self._clips.ahead(step * self._world.size + self._world.rank, batch_size)


@contextmanager
def joined_world() -> Iterator[World]:
    """The ranks that `torchrun` has started, connected; a world of one where it was not used.

    Tensors on the CPU are exchanged by gloo, those on GPUs by NCCL.

    Raises:
        ConfigError: more ranks on this machine than it has GPUs, or the ranks do not find each other.
    """
    size = _number("WORLD_SIZE", 1)
    if size == 1:
        yield World()
        return
    world = World(_number("RANK", 0), size, _number("LOCAL_RANK", 0))
    cuda = torch.cuda.is_available()
    if cuda and world.local < torch.cuda.device_count():
        torch.cuda.set_device(world.local)
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=TIMEOUT)
    except (RuntimeError, ValueError) as problem:
        raise ConfigError(f"rank {world.rank} of {size} found no connection to the others: {problem}") from None
    try:
        yield world
    finally:
        dist.destroy_process_group()


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    if value and not value.isdecimal():
        raise ConfigError(f"environment variable {name} is {value!r}; torchrun sets it to a number")
    return int(value) if value else default


def rank_device(device: torch.device, world: World) -> torch.device:
    """The device of this rank: GPU number `local` where the run is on GPUs.

    Raises:
        ConfigError: there is no such GPU.
    """
    if world.size == 1 or device.type != "cuda":
        return device
    if world.local >= torch.cuda.device_count():
        raise ConfigError(
            f"rank {world.rank} wants GPU {world.local} of this machine, which has {torch.cuda.device_count()}; "
            "start fewer with torchrun --nproc-per-node, or train with --set train.device=cpu"
        )
    return torch.device("cuda", world.local)


def passes_of(batch: int, micro_batch: int, world: World) -> int:
    """Passes of each rank per step: the fewest equal ones of at most `micro_batch` clips (0 = any number).

    Raises:
        ConfigError: `batch` cannot be shared out evenly.
    """
    if batch % world.size:
        raise ConfigError(
            f"configuration: train.batch {batch} cannot be shared evenly by {world.size} ranks; "
            f"set train.batch={(batch // world.size + 1) * world.size}"
        )
    share = batch // world.size
    most = min(micro_batch or share, share)
    return next(n for n in range(-(-share // most), share + 1) if share % n == 0)


def some_clips(batch: ClipBatch, part: slice) -> ClipBatch:
    """Some clips of a batch."""
    return replace(batch.map(lambda values: values[part]), episodes=batch.episodes[part])


def some_inputs(inputs: StepInputs, part: slice) -> StepInputs:
    """What was drawn for some clips: tensors and tuples have one entry per clip, the rest is common to all."""
    values = {field.name: getattr(inputs, field.name) for field in fields(inputs)}
    mine: dict[str, Any] = {k: v[part] if isinstance(v, Tensor | tuple) else v for k, v in values.items()}
    return StepInputs(**mine)
