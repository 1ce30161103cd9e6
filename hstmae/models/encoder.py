"""The hierarchical encoder: four stages of shifted-window attention over visible units only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..config import ModelConfig
from .attention import WindowPlan, rope, temporal_window, window_plan
from .blocks import CrossAttention, WindowBlock, fourier
from .cubes import take_units, to_cubes, to_tokens, token_offsets
from .inputs import CubeGrid
from .state.tokens import StateTokens

_SIDES = (4, 2, 1)  # tokens along one side of a unit at stages 1 to 3
_WINDOW = 8  # tokens along one side of a window


@dataclass
class StageGeometry:
    """Of one stage: its tokens' positions as rotations [B, U, S, P, 2, D/2], its plain and its shifted windows, and how
    many slices attend to each other."""

    turn: Tensor
    plans: list[WindowPlan]
    group: int


@dataclass
class Encoded:
    """fine: stage-3 tokens [B, U, S, C3]; coarse: stage-4 cells [B, cells, S, C4] in raster order; visual: stage-3
    tokens [B, U, S, C3] as they are before they meet the state."""

    fine: Tensor
    coarse: Tensor
    visual: Tensor


class Encoder(nn.Module):
    """Stage s works on x [B, U, S, P, C]: visible units, slices, tokens per cube in Morton order (16, 4, 1).

    Merging four tokens is therefore a reshape. Stage 4 sees 2x2 cubes on the dense grid; cubes that are masked (or lie
    beyond an odd edge) are one learned "absent" child, so every place of the picture gets a context vector.
    """

    def __init__(self, config: ModelConfig, colours: int, regions: int, with_state: bool):
        """colours: size of the game's palette, 0 for true colour; with_state: whether the game has state tokens."""
        super().__init__()
        self.config = config
        d = config.dims
        self.colour = nn.Embedding(colours, config.colour_dim) if colours else None
        self.patch = nn.Linear(32 * (config.colour_dim if colours else 3), d[0])
        self.position = nn.Linear(24, d[0])
        self.region = nn.Embedding(regions, d[0])
        self.merges = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(4 * d[i]), nn.Linear(4 * d[i], d[i + 1], bias=False)) for i in range(3)
        )
        self.absent = nn.Parameter(torch.zeros(d[2]))
        total = sum(config.depths)
        rates = [config.drop_path * i / max(total - 1, 1) for i in range(total)]
        self.stages = nn.ModuleList()
        for stage, depth in enumerate(config.depths):
            start = sum(config.depths[:stage])
            self.stages.append(
                nn.ModuleList(
                    WindowBlock(d[stage], config.head_dim, config.mlp_ratio, rates[start + i], config.qk_norm)
                    for i in range(depth)
                )
            )
        self.state = CrossAttention(d[2], config.state_dim, config.head_dim, config.qk_norm) if with_state else None
        self.norms = nn.ModuleList([nn.LayerNorm(d[2]), nn.LayerNorm(d[3])])

    def forward(
        self,
        frames: Tensor,
        visible: Tensor,
        grid: CubeGrid,
        regions: Tensor,
        state: StateTokens,
        geometry: list[StageGeometry] | None = None,
    ) -> Encoded:
        """Encode what is visible.

        Args:
            frames: uint8 [B, T, H, W] palette indices or [B, T, H, W, 3] RGB; only visible units are read.
            visible: int64 [B, U].
            regions: int64 [B, N, S], region id of each cube.
            geometry: `self.geometry` of these units, if it is at hand.
        """
        yx = torch.stack([visible // grid.units[1], visible % grid.units[1]], -1)  # [B, U, 2]
        if not visible.shape[1]:  # nothing to encode but that everything is absent
            nothing = self.absent.new_zeros(len(visible), 0, grid.slices, self.config.dims[2])
            blank = geometry or self.geometry(visible, grid.units, grid.slices)
            return Encoded(nothing, self.norms[1](self._stage4(nothing, yx, grid, blank)), nothing)
        geometry = geometry or self.geometry(visible, grid.units, grid.slices)
        x = self.patch(self._pixels(take_units(to_cubes(frames), visible)))  # [B, U, S, 16, C]
        offsets = token_offsets(4).to(x.device)
        place = (grid.origin[:, None, None] + 16 * yx[:, :, None] + 4 * offsets + 2) / grid.native[:, None, None]
        x = x + self.position(fourier(place.to(x.dtype)))[:, :, None]
        x = x + self.region(take_units(regions, visible))[..., None, :]
        for stage in range(3):
            if stage == 2:
                visual = x[:, :, :, 0]
                if self.state is not None:
                    x = x + self._read_state(x, yx, grid, state)
            x = self._blocks(x, stage, geometry)
            if stage < 2:
                x = self.merges[stage](x.unflatten(3, (-1, 4)).flatten(-2))
        fine = x[:, :, :, 0]
        return Encoded(self.norms[0](fine), self.norms[1](self._stage4(fine, yx, grid, geometry)), visual)

    def _read_state(self, x: Tensor, yx: Tensor, grid: CubeGrid, state: StateTokens) -> Tensor:
        """What visible cubes x [B, U, S, 1, C] read from the state, by their native positions: slice, y, x in cubes."""
        assert self.state is not None
        b, u, slices = x.shape[:3]
        place = yx + grid.origin[:, None] / 16
        time = torch.arange(slices, device=yx.device)[None, None, :, None].expand(b, u, slices, 1)
        centres = torch.cat([time, place[:, :, None].expand(b, u, slices, 2)], -1).flatten(1, 2)
        turn, state_turn = (rope(at.float(), self.config.head_dim) for at in (centres, state.position))
        return self.state(x.flatten(1, 3), turn, state.tokens, state_turn, state.valid).view_as(x)

    def _pixels(self, cubes: Tensor) -> Tensor:
        """uint8 [B, U, S, 2, 16, 16] or [..., 3] -> what describes the pixels of a token, [B, U, S, 16, 32 * D]."""
        if self.colour is not None:
            return self.colour(to_tokens(cubes).long()).flatten(-2)
        channels = to_tokens(cubes.movedim(-1, 3)).movedim(3, -1)  # [B, U, S, 16, 32, 3]
        return channels.to(self.patch.weight.dtype).flatten(-2) / 127.5 - 1

    def geometry(
        self, visible: Tensor, grid: tuple[int, int], slices: int, given: Sequence[WindowPlan] = ()
    ) -> list[StageGeometry]:
        """What each stage's attention follows from for these visible units: worth keeping while a mask stays.

        given: the plans of `unit_windows`, where they are at hand already.
        """
        yx = torch.stack([visible // grid[1], visible % grid[1]], -1)
        out = []
        plans = list(given) or [window_plan(yx, grid, *window) for window in unit_windows()]
        for stage, side in enumerate(_SIDES):
            place = side * yx[:, :, None] + token_offsets(side).to(yx.device)  # [B, U, P, 2]
            out.append(self._stage_geometry(stage, place, slices, plans[2 * stage : 2 * stage + 2]))
        rows, cols = _halved(grid)
        at = torch.arange(rows * cols, device=yx.device)
        cell_yx = torch.stack([at // cols, at % cols], -1).expand(len(yx), -1, 2)
        shift = 0 if max(rows, cols) <= _WINDOW else _WINDOW // 2
        plans = [window_plan(cell_yx, (rows, cols), _WINDOW, n) for n in (0, shift)]
        return [*out, self._stage_geometry(3, cell_yx[:, :, None], slices, plans)]

    def _stage_geometry(self, stage: int, place: Tensor, slices: int, plans: list[WindowPlan]) -> StageGeometry:
        b, u, p = place.shape[:3]
        time = torch.arange(slices, device=place.device)[None, None, :, None, None].expand(b, u, slices, p, 1)
        position = torch.cat([time, place[:, :, None].expand(b, u, slices, p, 2)], -1)
        group = temporal_window(slices, self.config.temporal_windows[stage])
        return StageGeometry(rope(position.float(), self.config.head_dim), plans, group)

    def _blocks(self, x: Tensor, stage: int, geometry: list[StageGeometry]) -> Tensor:
        at = geometry[stage]
        blocks: Iterable[nn.Module] = self.stages[stage]  # type: ignore[assignment]
        for i, block in enumerate(blocks):
            x = block(x, at.turn, at.plans[i % 2], at.group)
        return x

    def _stage4(self, fine: Tensor, yx: Tensor, grid: CubeGrid, geometry: list[StageGeometry]) -> Tensor:
        b, u, slices, c = fine.shape
        rows, cols = _halved(grid.units)
        y, x = yx[..., 0], yx[..., 1]
        child = ((y // 2) * cols + x // 2) * 4 + (y % 2) * 2 + x % 2  # [B, U]
        dense = self.absent.to(fine.dtype).expand(b, rows * cols * 4, slices, c)
        if u:
            dense = dense.scatter(1, child[:, :, None, None].expand(-1, -1, slices, c), fine)
        cells = dense.view(b, rows * cols, 4, slices, c).transpose(2, 3).flatten(-2)
        z = self.merges[2](cells)[:, :, :, None]  # [B, cells, S, 1, C4]
        return self._blocks(z, 3, geometry)[:, :, :, 0]


def unit_windows() -> list[tuple[int, int]]:
    """Side and shift, in units, of the windows of stages 1 to 3: plain ones, then shifted ones."""
    sides = [_WINDOW // side for side in _SIDES]
    return [(units, shift) for units in sides for shift in (0, units // 2)]


def _halved(grid: tuple[int, int]) -> tuple[int, int]:
    """Stage-4 cells per column and row; an odd edge gets one of its own."""
    return (grid[0] + 1) // 2, (grid[1] + 1) // 2
