"""A running prediction of how badly the model will draw each unit, from cheap features of the clip.

The adversary of the curriculum hides what is predicted to fail. CL-MAE (https://arxiv.org/abs/2308.16572) learns masks
with a network through which all tokens pass, ten times the cost of a step at 90 % masking. Here, as in HPM
(https://arxiv.org/abs/2304.05919), the loss is predicted, and that from what the step has measured anyway.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

FEATURES = 8
_RIDGE = 10.0  # decoded cubes' worth of belief in the first guess
_LEAST = 1e-4  # losses below it are alike: all of it is drawn right
_FIRST = (0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0)  # before any loss is seen: detail, change and moving objects are hard


class LossPredictor:
    """Ridge regression of the logarithm of a cube's loss on features of its unit, over an exponentially fading past
    (`forget`, 0 .. 1, per step). The sums that define it, X^T X and X^T y, are all of its state."""

    def __init__(self, forget: float) -> None:
        self.forget = forget
        self.gram = torch.zeros(FEATURES, FEATURES, dtype=torch.float64)
        self.moment = torch.zeros(FEATURES, dtype=torch.float64)

    def predict(self, features: Tensor) -> Tensor:
        """Predicted log loss of each unit: features float [B, N, FEATURES] -> float64 [B, N]."""
        self._to(features.device)
        first = torch.tensor(_FIRST, dtype=torch.float64, device=features.device)
        ridge = _RIDGE * torch.eye(FEATURES, dtype=torch.float64, device=features.device)
        weights = torch.linalg.solve(self.gram + ridge, self.moment + _RIDGE * first)
        return features.double() @ weights

    def update(self, features: Tensor, units: Tensor, losses: Tensor) -> None:
        """Learn from one step.

        Args:
            features: float [B, N, FEATURES].
            units: int64 [B, Q], unit of each decoded cube.
            losses: float [B, Q], 0 or above; cubes whose loss is not finite are left out.
        """
        self._to(features.device)
        x = features.double().gather(1, units[..., None].expand(-1, -1, FEATURES)).flatten(0, 1)
        fine = losses.isfinite().flatten()
        y = losses.double().nan_to_num(0, 0, 0).flatten().clamp_min(_LEAST).log()
        x = x * fine[:, None]
        self.gram = self.forget * self.gram + x.T @ x
        self.moment = self.forget * self.moment + x.T @ y

    def state_dict(self) -> dict[str, Tensor]:
        return {"gram": self.gram.cpu(), "moment": self.moment.cpu()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Raises KeyError or ValueError where `state` is not what `state_dict` gives."""
        gram, moment = state["gram"], state["moment"]
        if gram.shape != self.gram.shape or moment.shape != self.moment.shape:
            raise ValueError(f"a loss predictor of {FEATURES} features, got sums of shape {list(gram.shape)}")
        self.gram, self.moment = gram.double().clone(), moment.double().clone()

    def _to(self, device: torch.device) -> None:
        self.gram, self.moment = self.gram.to(device), self.moment.to(device)


def unit_features(information: Tensor, change: Tensor, moving: Tensor, grid: tuple[int, int], origin: Tensor) -> Tensor:
    """What a unit's loss is predicted from: float32 [B, N, FEATURES], all about 0 .. 3.

    Args:
        information, change, moving: float [B, N], see `unit_scores`.
        origin, grid: see `touched_units`.
    """
    b, n = information.shape
    detail = information.clamp_min(0).log1p()
    around = F.avg_pool2d(detail.view(b, 1, *grid), 3, 1, 1, count_include_pad=False).flatten(1)
    row = torch.arange(n, device=origin.device) // grid[1]
    y = (row + origin[:, :1] / 16) / max(grid[0], 1)
    flat = (information == 0).float()
    return torch.stack([torch.ones_like(detail), detail, detail.square() / 4, change, moving, around, y, flat], -1)
