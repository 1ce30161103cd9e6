"""Going on learning on the footage that is restored: the small network that weighs offers, fitted anew to it.

More of the footage is hidden by damage of its own kind, again and again, where it is damaged at other times; what is
never seen need not be like what is. What half of these damages taught is tested on the other half, both ways: where
it does not help with most of them, the network stays as it was. The gate of a stretch (`hstmae.motion.gate`) comes
after it, as ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from .combiner import Combiner
from .gate import more_hidden
from .recall import Around
from .scene import Points, Scene
from .weighing import Rows

FRAMES, PIXELS = 6, 240  # of a stretch that is hidden once: frames that are learned from, and hidden pixels of each
MOST = 120_000  # pixels that are learned from, some 40 kilobytes for each hundred
FEWEST = 2_000  # of each half, below which nothing is learned
GROUP = 2048  # pixels of a step
RATE, PULL = 1e-3, 1e-4  # of learning, and towards what many games taught
SHARP = 0.05  # how much exactly right colours count beside the error
STAY = 0.5  # part that stays of the weights of before: what is new is less sure
FLOOR = 0.3  # squared error from which a better one counts less: 53 dB
TESTED, STEPS = 50, 5_000  # steps from one test to the next, and in all
LEAST = 0.05  # dB that a damage gains in the mean, less the standard error of that mean
LOSS = 0.002  # part of the exactly right colours that may be lost


@dataclass(frozen=True)
class Example:
    """Offers for hidden pixels of one frame.

    Attributes:
        damage: number of the damage that hid them; truth: uint8 [m, 3], the true colours.
    """

    damage: int
    rows: Rows
    truth: np.ndarray


@dataclass(frozen=True)
class Learned:
    """What came of it.

    Attributes:
        combiner: the refined one, or that of before.
        gain: dB of a damage that it had not learned from, in the mean; 0 where it stayed as it was, because `reason`.
        pixels: learned from.
    """

    combiner: Combiner
    gain: float
    pixels: int
    reason: str = ""


def examples_of(rgb: np.ndarray, mask: np.ndarray, seed: int) -> Iterator[Example]:
    """What hiding more of a stretch teaches.

    Args:
        rgb: uint8 [T, H, W, 3]; mask: bool [T, H, W], True = missing.
        seed: of what is hidden, and of which frames; it is the number of the damage.
    """
    rng, hidden = np.random.default_rng(seed), more_hidden(mask, seed) & mask.any(0)
    some = np.flatnonzero(hidden.any((1, 2)))
    if not len(some):
        return
    gone = mask | hidden
    around = Around(Scene(np.where(gone[..., None], np.uint8(0), rgb), gone))
    for t in sorted(rng.choice(some, min(FRAMES, len(some)), replace=False).tolist()):
        place = np.flatnonzero(hidden[t])
        chosen = np.zeros(hidden[t].size, bool)
        chosen[rng.choice(place, min(PIXELS, len(place)), replace=False)] = True
        points = Points.of(chosen.reshape(hidden[t].shape))
        for found in around.parts(t, points, PIXELS):
            if len(found.open) and not found.nowhere:  # these have weights of their own
                yield Example(seed, found.rows, rgb[t].reshape(-1, 3)[found.points.place[found.open]])


def learned(
    combiner: Combiner, examples: list[Example], seconds: float, exact: bool = False,
    progress: Callable[[float], object] | None = None,
) -> Learned:  # fmt: skip
    """The combiner, refined by what hiding more has shown.

    Args:
        exact: for more colours that are exactly right, instead of a smaller squared error.
        seconds: that learning may take.
        progress: called with the seconds spent since the last call.
    """
    halves = [[example for example in examples if example.damage % 2 == k] for k in range(2)]
    count = [sum(len(example.truth) for example in half) for half in halves]
    if min(count) < FEWEST:
        why = f"{sum(count)} pixels of what is damaged at other times were open to doubt, too few to learn from"
        return Learned(combiner, 0.0, sum(count), why)
    packed = [_Packed(half, combiner, exact) for half in halves]
    curves, spent = [], _Spent(progress)
    for own, other in (packed, packed[::-1]):
        curve = [other.measured(_network(combiner))]
        for network in _steps(combiner, own, STEPS, 0.36 * seconds, spent):
            curve.append(other.measured(_between(combiner, network)))
        curves.append(curve)
    gains = []  # of all damages after each TESTED steps, in dB, each by a network that had not learned from it
    for points in zip(*curves, strict=False):
        before = [curve[0] for curve in curves]
        gained = np.concatenate([new.decibels - old.decibels for new, old in zip(points, before, strict=True)])
        right = sum(new.right - old.right for new, old in zip(points, before, strict=True)) / 2
        least = gained.mean() - gained.std() / np.sqrt(len(gained))
        gains.append((least if right > -LOSS and np.median(gained) > 0 else 0.0, float(gained.mean())))
    best = max(range(len(gains)), key=lambda k: gains[k][0])
    if gains[best][0] < LEAST:
        return Learned(combiner, 0.0, sum(count), "what one half of it taught did not help with the other")
    *_, network = _steps(combiner, _Packed(examples, combiner, exact), best * TESTED, np.inf, spent)
    layers = tuple(
        (layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy())
        for layer in _between(combiner, network)
        if isinstance(layer, nn.Linear)
    )
    return Learned(replace(combiner, layers=layers), gains[best][1], sum(count))


class _Spent:
    def __init__(self, progress: Callable[[float], object] | None) -> None:
        self._progress, self._last = progress, time.monotonic()

    def tell(self) -> None:
        now = time.monotonic()
        if self._progress is not None:
            self._progress(now - self._last)
        self._last = now


@dataclass(frozen=True)
class _Measured:
    """decibels: float64 [damages], more is better; right: mean share of the right colour."""

    decibels: np.ndarray
    right: float


class _Packed:
    """Examples one after the other.

    Attributes:
        weight: float32 [n] of each pixel, by which all damages count alike: one over the error of what is known so far.
    """

    def __init__(self, examples: list[Example], combiner: Combiner, exact: bool) -> None:
        self._exact = exact
        self.numbers = torch.from_numpy(np.concatenate([e.rows.numbers.astype(np.float16) for e in examples]))
        self.rgb = torch.from_numpy(np.concatenate([e.rows.rgb for e in examples]))
        count = np.concatenate([np.diff(e.rows.start) for e in examples])
        self.start = np.concatenate([[0], np.cumsum(count)])
        self.truth = torch.from_numpy(np.concatenate([e.truth for e in examples])).float()
        key = np.concatenate([e.rows.key for e in examples])
        true = np.concatenate([e.truth.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32) for e in examples])
        self.right = torch.from_numpy((key == np.repeat(true, count)).astype(np.float32))
        damages = np.concatenate([np.full(len(e.truth), e.damage) for e in examples])
        self._damage = np.unique(damages, return_inverse=True)[1]
        before = 10 ** (-self.measured(_network(combiner)).decibels / 10)
        self.weight = torch.from_numpy((1 / before)[self._damage].astype(np.float32))

    def drawn(self, network: nn.Module, pixels: np.ndarray) -> tuple[Tensor, Tensor]:
        """Errors float32 [n] (of the mean colours, squared, or how often the colour is wrong) and shares of the right
        colour float32 [n]."""
        count = (self.start[pixels + 1] - self.start[pixels]).astype(np.int64)
        own = torch.from_numpy(np.repeat(np.arange(len(pixels)), count))
        index = torch.from_numpy(np.repeat(self.start[pixels] - (np.cumsum(count) - count), count)) + torch.arange(
            len(own)
        )
        score = network(self.numbers[index].float())[:, 0]
        top = torch.full((len(pixels),), -torch.inf).scatter_reduce(0, own, score.detach(), "amax")
        share = torch.exp(score - top[own])
        share = share / torch.zeros(len(pixels)).index_add(0, own, share)[own]
        mean = torch.zeros(len(pixels), 3).index_add(0, own, share[:, None] * self.rgb[index])
        right = torch.zeros(len(pixels)).index_add(0, own, share * self.right[index])
        return 100 * (1 - right) if self._exact else (mean - self.truth[pixels]).square().mean(1), right

    def measured(self, network: nn.Module) -> _Measured:
        """How well it does."""
        pixels = np.arange(len(self.truth))
        with torch.no_grad():
            parts = [self.drawn(network, p) for p in np.array_split(pixels, -(-len(pixels) // (4 * GROUP)))]
        error, right = (torch.cat(some).numpy() for some in zip(*parts, strict=True))
        mean = np.bincount(self._damage, error) / np.bincount(self._damage)
        return _Measured(-10 * np.log10(mean + FLOOR), float(right.mean()))


def _network(combiner: Combiner) -> nn.Sequential:
    layers: list[nn.Module] = []
    for weight, bias in combiner.layers:
        layer = nn.Linear(*weight.shape)
        layer.weight.data, layer.bias.data = torch.from_numpy(weight.T.copy()), torch.from_numpy(bias.copy())
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _between(combiner: Combiner, network: nn.Sequential) -> nn.Sequential:
    """The mean of both, weight by weight."""
    made = _network(combiner)
    with torch.no_grad():
        for own, new in zip(made.parameters(), network.parameters(), strict=True):
            own.lerp_(new, 1 - STAY)
    return made


def _steps(combiner: Combiner, packed: _Packed, steps: int, seconds: float, spent: _Spent) -> Iterator[nn.Sequential]:
    """The network after every TESTED steps of learning."""
    rng, network = np.random.default_rng(0), _network(combiner)
    known = [weight.detach().clone() for weight in network.parameters()]
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    ends = time.monotonic() + seconds
    for step in range(1, steps + 1):
        pixels = rng.integers(len(packed.truth), size=GROUP)
        error, right = packed.drawn(network, pixels)
        loss = 0.5 * (error * packed.weight[pixels]).mean().log() - SHARP * (right + 1e-3).log().mean()
        pull = sum(((own - old) ** 2).sum() for own, old in zip(network.parameters(), known, strict=True))
        optimizer.zero_grad()
        (loss + PULL * pull).backward()
        optimizer.step()
        if step % TESTED == 0:
            yield network
            spent.tell()
            if time.monotonic() > ends:
                return
