"""Learning from a larger model: what it takes each pixel to be, and which cubes it takes to be alike."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...config import RunConfig
from ...errors import ConfigError
from ...model_folders import check_model
from ...models.inputs import MaskedClips
from ...models.mae import HSTMAE
from ...models.zoo import load_pretrained

DISTIL, SIMILARITY = "distil", "similarity"  # as they are logged


class Distillation:
    """Losses of a student against a teacher that restores the same clips at the same state levels.

    The teacher is asked about a share of the student's cubes: its answer to a cube does not depend on the others, and
    it is the larger part of a step. Two terms:

    * `distil`, the divergence of the student's posterior from the teacher's, in nats a pixel (no temperature: where the
      teacher is unsure, its posterior mean is what PSNR judges);
    * `similarity`, the mean squared difference of the cosines between the decoded vectors of a clip's cubes
      (https://arxiv.org/abs/1907.09682), which needs no equal widths.
    """

    def __init__(self, teacher: HSTMAE, distil: float, similarity: float, share: float) -> None:
        self.teacher = teacher.eval().requires_grad_(False)
        self.distil, self.similarity, self.stride = distil, similarity, max(1, round(1 / share))

    def to(self, device: torch.device) -> Distillation:
        self.teacher.to(device)
        return self

    def add(
        self, loss: Tensor, logits: Tensor, decoded: Tensor, clips: MaskedClips, queries: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The whole loss, and both terms before weighting.

        Args:
            logits, decoded: of the student, [B, Q, 2, 16, 16, K] and [B, Q, C], with their graphs.
            clips, queries: what it was given.
        """
        first = int(torch.randint(self.stride, ()))  # of the step's own seed
        asked = slice(first, None, self.stride)
        with torch.no_grad():
            truth, features = self.teacher(clips, queries[:, asked].contiguous(), features=True)
        with torch.autocast(logits.device.type, enabled=False):
            mine, theirs = (x.float().flatten(0, -2).log_softmax(-1) for x in (logits[:, asked], truth))
            terms = {DISTIL: F.kl_div(mine, theirs, reduction="batchmean", log_target=True)}
            terms[SIMILARITY] = (cosines(decoded[:, asked]) - cosines(features)).square().mean()
            total = loss + self.distil * terms[DISTIL] + self.similarity * terms[SIMILARITY]
        return total, {name: term.detach() for name, term in terms.items()}


def cosines(x: Tensor) -> Tensor:
    """Of all pairs of vectors: [B, Q, C] -> [B, Q, Q]."""
    unit = F.normalize(x.float(), dim=-1)
    return unit @ unit.transpose(1, 2)


def distillation(config: RunConfig) -> Distillation | None:
    """The teacher that a run asks for, None without one.

    Raises:
        CheckpointError: it is not there, or damaged.
        ConfigError: it is a model of another kind than the run's.
    """
    train = config.train
    if not train.teacher:
        return None
    check_model(train.teacher)
    teacher = load_pretrained(train.teacher)
    for key in ("game", "head"):
        if getattr(teacher.config, key) != getattr(config.model, key):
            raise ConfigError(
                f"configuration: train.teacher {train.teacher} has {key} '{getattr(teacher.config, key)}', and "
                f"model.{key} is '{getattr(config.model, key)}'; choose a teacher of the same {key}"
            )
    return Distillation(teacher, train.distil, train.similarity, train.teacher_share)
