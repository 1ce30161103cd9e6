"""Stand-ins for the network, with the interface of HSTMAE.forward and a result that tests can predict."""

import numpy as np
import torch

from hstmae.config import ModelConfig
from hstmae.inference.predictor import Predictor

COLOURS = 64


class Painter:
    """Paints every pixel of frame t in the colour that the frame's state says (byte 0x74E), else in colour 7.

    Keeps what it was called with in `calls`.
    """

    def __init__(self) -> None:
        self.calls: list[dict] = []

    def __call__(self, clips, queries):
        self.calls.append(vars(clips) | {"queries": queries})
        state, (batch, time) = clips.state, clips.frames.shape[:2]
        told = torch.full((batch, time), 7) if state is None else state.globals[..., 0].long()
        slices = (queries % (time // 2))[..., None] * 2 + torch.arange(2)  # [B, Q, 2] frames of each cube
        colour = told.gather(1, slices.flatten(1)).view(*queries.shape, 2, 1, 1).expand(*queries.shape, 2, 16, 16)
        return torch.nn.functional.one_hot(colour, COLOURS).float() * 50


class Copier:
    """A cheat: paints what the frames it is given hold, hidden or not."""

    def __call__(self, clips, queries):
        from hstmae.models.cubes import take_cubes, to_cubes

        colour = take_cubes(to_cubes(clips.frames), queries).long()
        return torch.nn.functional.one_hot(colour, COLOURS).float() * 50


def predictor(model) -> Predictor:
    return Predictor(model, ModelConfig())


def footage(frames: int, size: tuple[int, int] = (48, 64), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, COLOURS, (frames, *size)).astype(np.uint8)


def memory(frames: int) -> np.ndarray:
    """State whose byte 0x74E is the number of the frame."""
    state = np.zeros((frames, 2048), np.uint8)
    state[:, 0x74E] = np.arange(frames) % COLOURS
    return state


class ColourPainter:
    """Answers with colours: every pixel of frame t gets COLOUR, or where there is state, its first token's numbers.

    Values lie outside 0 .. 1 where `beyond`. Keeps what it was called with in `calls`.
    """

    COLOUR = (0.2, 0.4, 0.8)

    def __init__(self, beyond: float = 0.0) -> None:
        self.calls: list[dict] = []
        self.beyond = beyond

    def __call__(self, clips, queries):
        self.calls.append(vars(clips) | {"queries": queries})
        state, (batch, time) = clips.state, clips.frames.shape[:2]
        colour = torch.tensor(self.COLOUR).expand(batch, time, 3)
        if state is not None:
            colour = state.tokens[:, :, 0, :3]
        slices = (queries % (time // 2))[..., None] * 2 + torch.arange(2)  # [B, Q, 2] frames of each cube
        rows = torch.stack([c[s] for c, s in zip(colour, slices, strict=True)])  # [B, Q, 2, 3]
        return rows[:, :, :, None, None].expand(*queries.shape, 2, 16, 16, 3) + self.beyond


class ColourCopier:
    """A cheat: answers with what the frames it is given hold, hidden or not."""

    def __call__(self, clips, queries):
        from hstmae.models.cubes import take_cubes, to_cubes

        return take_cubes(to_cubes(clips.frames), queries) / 255


def colour_predictor(model, game: str = "generic") -> Predictor:
    return Predictor(model, ModelConfig(game=game, head="rgb"))


def colour_footage(frames: int, size: tuple[int, int] = (48, 64), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, *size, 3)).astype(np.uint8)
