"""The place memory's hashes for runtimes without 64-bit whole numbers: the same numbers, in bytes.

`models.state.place_memory` mixes in 64-bit arithmetic that wraps around. LiteRT makes 32-bit numbers of it, and has no
shifts of larger ones. Here a number is its eight bytes, each a float32: products and sums of bytes stay below 2^24,
where float32 is exact, so any order of adding gives the same. Half precision does not do.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import ConfigError
from ..models.heads import PaletteHead
from ..models.mae import HSTMAE
from ..models.state.place_memory import PRIMES

_BYTES = 8
_KEPT = 24  # bits of the hash that are given


def for_phones(model: HSTMAE) -> HSTMAE:
    """A copy of a model that answers the same by operations that runtimes of phones have.

    Raises:
        ConfigError: its place memory has a size that these hashes are not for.
    """
    made: HSTMAE = copy.deepcopy(model).eval()
    memory = made.head.memory if isinstance(made.head, PaletteHead) else None
    if memory is not None:
        for size in (memory.trained.numel() - 1, memory.entries.num_embeddings):
            if size & (size - 1) or size > 1 << _KEPT:
                raise ConfigError(
                    f"the place memory's table of {size}: only powers of two up to 2^{_KEPT} are exported"
                )
        memory.hashed, memory.mixed = hashed_in_bytes, mixed_in_bytes
        del memory.trained
        memory.register_buffer("trained", model.head.memory.trained.bool())  # type: ignore[union-attr]
    return made


def mixed_in_bytes(area: Tensor, x: Tensor, y: Tensor, seed: int) -> Tensor:
    """The lowest 24 bits of `place_memory.mixed`, int64, for numbers of up to 32 bits."""
    (area, x, y), shape = _flat(area, x, y)
    first = _carried(_times(area, 1_000_003, _BYTES) + x)
    h = _carried(_times(first, 8_191, _BYTES) + y + _constant(seed, area))
    h = _carried(_times(_xor(h, _right(h, 15)), 2_246_822_519, 7))
    h = _carried(_times(_xor(h, _right(h, 13))[:, :5], 3_266_489_917, 5))
    return _number(_xor(h[:, :3], h[:, 2:5])).reshape(shape)


def hashed_in_bytes(area: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The lowest 24 bits of `place_memory.hashed`, int64, for numbers of up to 32 bits."""
    numbers, shape = _flat(area, x, y)
    area, x, y = (_carried(_times(one, prime, 3)) for one, prime in zip(numbers, PRIMES, strict=True))
    return _number(_xor(_xor(area, x), y)).reshape(shape)


def _flat(*numbers: Tensor) -> tuple[list[Tensor], torch.Size]:
    """The bytes of numbers that are broadcast over each other, each [N, 8], and the shape that they had then."""
    shape = torch.broadcast_shapes(*(one.shape for one in numbers))
    return [_bytes(one.expand(shape).reshape(-1)) for one in numbers], shape


def _number(low: Tensor) -> Tensor:
    """Three bytes [N, 3] as one number, int64 [N]."""
    return (low * low.new_tensor([1, 256, 65_536])).sum(-1).long()


def _bytes(number: Tensor) -> Tensor:
    """[N] of up to 32 bits, with their sign -> float32 [N, 8], lowest byte first, in two's complement."""
    parts = [torch.div(number, 256**k, rounding_mode="floor") % 256 for k in range(4)]
    return torch.stack([*parts, *[torch.where(number < 0, 255, 0)] * 4], -1).float()


def _constant(number: int, like: Tensor) -> Tensor:
    return like.new_tensor([(number >> 8 * k) & 255 for k in range(_BYTES)])


def _times(number: Tensor, factor: int, size: int) -> Tensor:
    """Sums of products of bytes, each below 2^20, for the lowest `size` bytes of a product with a constant."""
    own = [(factor >> 8 * k) & 255 for k in range(_BYTES)]
    table = [[own[k - i] if k >= i else 0 for i in range(number.shape[1])] for k in range(size)]
    return F.linear(number, number.new_tensor(table))  # a linear map is what runtimes delegate


def _carried(sums: Tensor) -> Tensor:
    """Bytes of a number of whose bytes some are too large; what goes beyond the last one is lost."""
    carry: Tensor | None = None
    found = []
    for part in sums.unbind(-1):
        total = part if carry is None else part + carry
        carry = torch.floor(total / 256)
        found.append(total - 256 * carry)
    return torch.stack(found, -1)


def _right(number: Tensor, bits: int) -> Tensor:
    """Shifted right with the sign where all eight bytes are given, else the bytes that can be told."""
    skip, rest = divmod(bits, 8)
    if number.shape[1] == _BYTES:
        sign = 255 * torch.floor(number[:, -1:] / 128)
        number = torch.cat([number, *[sign] * (skip + 1)], -1)
    low, high = number[:, skip:-1], number[:, skip + 1 :]
    over = high - 2**rest * torch.floor(high / 2**rest)
    return torch.floor(low / 2**rest) + 2 ** (8 - rest) * over


def _xor(a: Tensor, b: Tensor) -> Tensor:
    """Of as many bytes as the shorter has."""
    size = min(a.shape[1], b.shape[1])
    return torch.bitwise_xor(a[:, :size].int(), b[:, :size].int()).float()
