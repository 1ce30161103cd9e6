"""Weights of several losses that keep what each contributes, however their magnitudes drift."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

MEMORY = 0.9  # of the running magnitudes per step: about the last 10 steps
_LEAST = 1e-6  # a running magnitude below it no longer raises a weight


@dataclass(frozen=True)
class Term:
    """A loss of one step. value: scalar with its graph; present: bool scalar, whether any pixel or clip counted."""

    value: Tensor
    present: Tensor


class LossBalance:
    """Scales each term so that it contributes its share of the main loss: ``share * running(main) / running(term)``.

    Running magnitudes are exponential means over the steps in which a term was present, the step at hand included; the
    weight is a constant for the gradient. The normalisation by initial losses of https://arxiv.org/abs/1711.02257, with
    running ones and fixed shares. Across ranks the magnitudes are averaged, so all use the same weights.

    Args:
        shares: contribution of each term relative to the main loss, above 0.
        memory: factor per step of the running means, 0 .. 1, 1 excluded.
    """

    def __init__(self, shares: Mapping[str, float], memory: float = MEMORY) -> None:
        self.shares, self.memory = dict(shares), memory
        self.sums = torch.zeros(1 + len(shares))  # of the main loss, then of each term, and below how many steps
        self.counts = torch.zeros(1 + len(shares))  # they stand for, both faded

    def combine(self, main: Tensor, terms: Mapping[str, Term]) -> tuple[Tensor, dict[str, Tensor]]:
        """Add the weighted terms to the main loss.

        Args:
            main: scalar with its graph.
            terms: one per share, by the same names.
        Returns:
            The sum with its graph, and by name the detached raw values; a term that is not present adds nothing, and
            its running magnitude stands for its value.
        """
        found = [terms[name] for name in self.shares]
        values = torch.stack([main.detach().float(), *(t.value.detach().float() for t in found)])
        present = torch.stack([torch.ones((), dtype=torch.bool, device=main.device), *(t.present for t in found)])
        self._note(torch.where(present, values, 0), present.float())
        running = self.sums / self.counts.clamp_min(torch.finfo(torch.float32).tiny)
        total, raw = main, {}
        for i, (name, share) in enumerate(self.shares.items(), 1):
            scale = share * running[0] / running[i].clamp_min(_LEAST)
            total = total + torch.where(present[i], scale, 0) * found[i - 1].value
            raw[name] = torch.where(present[i], values[i], running[i])
        return total, raw

    def _note(self, values: Tensor, present: Tensor) -> None:
        """Fold one step into the running means; a step with a value that is not finite is left out."""
        both = torch.stack([values, present])
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(both)  # sums over ranks: the mean over all that were present
        self.sums, self.counts = self.sums.to(both.device), self.counts.to(both.device)
        value = both[0] / both[1].clamp_min(1)
        fade = torch.where((both[1] > 0) & both.isfinite().all(), self.memory, 1.0)
        self.sums = fade * self.sums + (1 - fade) * value.nan_to_num(0, 0, 0)
        self.counts = fade * self.counts + (1 - fade)

    def state_dict(self) -> dict[str, Tensor]:
        return {"sums": self.sums.cpu(), "counts": self.counts.cpu()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Raises KeyError or ValueError where `state` is not that of a balance of as many terms."""
        sums, counts = state["sums"], state["counts"]
        if sums.shape != self.sums.shape or counts.shape != self.counts.shape:
            raise ValueError(f"a balance of {len(self.shares)} losses, got running sums of {len(sums) - 1}")
        self.sums, self.counts = sums.float().clone(), counts.float().clone()
