"""The palette head for inference: the same pictures as `PaletteHead`, several times sooner.

Nothing is approximated; impossible colours are left out and the arithmetic is put in another order. With the weights
fixed,

* the canvas textures are multiplied by the head's first matrix once, when this object is made: a pixel costs a few
  table rows added up, and which ones is worked out for whole frames;
* only entries of the palette that the game can show (`GameSpec.shown_entries`) are weighed;
* global state acts once per frame, folded into the matrix that meets the drawn content;
* cells are drawn where they are seen, not in a larger window that is then cut;
* pixels are worked off in pieces that stay in a core's cache: in a compiled loop (`kernel`) where there is one.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from ..heads import PaletteHead
from ..inputs import Decoded, Places
from ..mae import HSTMAE
from ..state.canvas import Canvas
from ..state.screen import Screen
from ..state.tokens import COMPACT, FULL
from .canvas import FastCanvas
from .kernel import COLUMNS, HeadKernel

CPU_CUBES = 32  # cubes of one frame worked off at once: 8192 pixels, one megabyte of logits for each of two cores
GPU_CUBES = 4096
_CERTAIN = 12.0  # then all other entries of a palette of 64 shift a colour by at most a tenth of one step of 255
_COLUMNS = 16  # torch is slow at a maximum over fewer, or over a number in between
_NEVER = -1e30  # logit of a column that only fills up
_PHASES = 32  # drawing matrices kept, one for each offset between cells and cubes (about a megabyte each)


@dataclass
class Painted:
    """Pixels of the wanted cubes; `colour` and `confidence` are None unless a palette was given."""

    entry: Tensor  # uint8 [B, Q, 2, 16, 16], the most probable palette entry
    colour: Tensor | None  # uint8 [B, Q, 2, 16, 16, 3], posterior mean colour, rounded
    confidence: Tensor | None  # float32 [B, Q, 2, 16, 16], probability of `entry`


class FastHead:
    """Reads pictures out of decoded cubes. Holds products of the model's weights: make a new one when they change."""

    @staticmethod
    def of(model: object) -> FastHead | None:
        """The fast head of a model, or None where there is none for its kind (its own head does the work then)."""
        if not isinstance(model, HSTMAE) or not isinstance(model.head, PaletteHead) or 16 % model.head.cell:
            return None
        return FastHead(model)

    @torch.no_grad()
    def __init__(self, model: HSTMAE, compiled: bool = True) -> None:
        """compiled: use the compiled loop where there is one; it may differ from torch in the last bits of a logit."""
        head = model.head
        assert isinstance(head, PaletteHead)
        self.model, self.head = model, head
        hidden = head.hidden.weight.float()
        self.screen = model.canvas if isinstance(model.canvas, Screen) else None
        begin = 0 if self.screen is not None else -head.channels  # what comes with the drawn content, pixel by pixel
        self.drawn, self.bias = hidden[:, begin:].t().contiguous(), head.hidden.bias.float()
        self.canvas = FastCanvas(model.canvas, hidden) if isinstance(model.canvas, Canvas) else None
        self._choose_entries(COLUMNS)
        self.kernel = HeadKernel.of(self.out, self.out_bias, self.entries) if compiled else None
        if self.kernel is None:
            self._choose_entries(_COLUMNS)
        n, c, ch = head.code, head.cell, head.channels
        self.cell_basis = head.cell_basis.weight.float().view(c, c, ch, n).permute(3, 0, 1, 2).contiguous()
        self.cube_basis = head.cube_basis.weight.float().view(16, 16, ch, n).permute(3, 0, 1, 2).contiguous()
        self._drawing: OrderedDict[tuple[int, int], tuple[list[int], Tensor]] = OrderedDict()

    def _choose_entries(self, step: int) -> None:
        """The columns of the last matrix that are worth a product, filled up to a multiple of `step`."""
        weight, bias = self.head.colours.weight.float(), self.head.colours.bias.float()
        entries = torch.tensor(self.model.game.shown_entries or range(len(weight)), device=weight.device)
        spare = -len(entries) % step
        self.out = F.pad(weight[entries], (0, 0, 0, spare)).t()
        self.out_bias = F.pad(bias[entries], (0, spare), value=_NEVER)
        self.entries, self._spare = entries, spare

    @torch.no_grad()
    def paint(self, done: Decoded, palette: Tensor | None = None) -> Painted:
        """Draw the cubes that `HSTMAE.decode` has decoded.

        Args:
            done: its result, on the device of the model.
            palette: uint8 [K, 3] or [B, K, 3]; only with it colours and confidence are worked out.
        """
        with torch.autocast(done.x.device.type, enabled=False):
            return self._paint(done, palette)

    def _paint(self, done: Decoded, palette: Tensor | None) -> Painted:
        head, (b, q), slices = self.head, done.queries.shape, done.grid.slices
        device = done.x.device
        content, cube = head.codes_of(replace(done, x=done.x.float()))
        film = head.film(head.frame_globals(done.state, done.level))
        film = film.expand(b, 2 * slices, -1) if film.ndim == 1 else film
        entry = torch.empty(b, q, 2, 256, dtype=torch.uint8, device=device)
        colour = confidence = None
        if palette is not None:
            colour = torch.empty(b, q, 2, 256, 3, dtype=torch.uint8, device=device)
            confidence = torch.empty(b, q, 2, 256, device=device)
        for row in range(b):
            colours = None if palette is None else self._colours(palette if palette.ndim == 2 else palette[row])
            for piece, places in _by_slice(done.queries[row], slices):
                units = done.queries[row, places] // slices
                rows = None
                if self.canvas is not None and done.state is not None and int(done.level[row]) == FULL:
                    rows = self.canvas.rows(done.state, row, piece, done.grid, units)
                shown = None if self.screen is None else self._shown(self.screen, done, row, places)
                for f in range(2):
                    frame = 2 * piece + f
                    drawn = self._draw(content[row, places, f], cube[row, places, f], self._phase(done, row, frame))
                    if shown is not None:
                        drawn = torch.cat([shown[:, f], drawn], -1)
                    made = self._pixels(None if rows is None else rows[f], drawn, film[row, frame], colours)
                    for whole, part in zip((entry, colour, confidence), made, strict=True):
                        if whole is not None and part is not None:
                            whole[row, places, f] = part
        return Painted(
            entry.unflatten(-1, (16, 16)),
            None if colour is None else colour.unflatten(3, (16, 16)),
            None if confidence is None else confidence.unflatten(-1, (16, 16)),
        )

    @staticmethod
    def _shown(screen: Screen, done: Decoded, row: int, places: Tensor) -> Tensor:
        """What the screen memory tells of some cubes of a clip: [n, 2, 256, 3 * texture_dim]."""
        at = done.at
        some = Places(at.row[row, None], at.frame[row, None, places], at.y[row, None, places], at.x[row, None, places])
        return screen.features(done.state, done.level, some)[0].flatten(2, 3).float()

    def _colours(self, palette: Tensor) -> Tensor:
        """uint8 [K, 3] -> float [columns, 4] of the chosen entries and a one; columns that only fill up are zero."""
        chosen = palette.index_select(0, self.entries).float()
        return F.pad(F.pad(chosen, (0, 1), value=1.0), (0, 0, 0, self._spare))

    def _phase(self, done: Decoded, row: int, frame: int) -> tuple[int, int]:
        """How far (y, x) into a cell the cubes of a frame begin; the same for all, since cells divide cubes evenly."""
        if done.state is None or not done.state.tile_xy or int(done.level[row]) < COMPACT:
            return 0, 0
        x, y = done.state.tile_xy[0][row, frame].tolist()
        top, left = done.grid.origin[row].tolist()
        return (top - y) % self.head.cell, (left - x) % self.head.cell

    def _draw(self, content: Tensor, cube: Tensor, phase: tuple[int, int]) -> Tensor:
        """content [n, cells, code], cube [n, code] -> drawn content [n, 256, channels]."""
        if phase in self._drawing:
            self._drawing.move_to_end(phase)
        else:
            self._drawing[phase] = self._drawing_matrix(phase)
            if len(self._drawing) > _PHASES:
                self._drawing.popitem(last=False)
        cells, matrix = self._drawing[phase]
        codes = torch.cat([content[:, cells].flatten(1), cube], 1)
        return (codes @ matrix).unflatten(1, (256, -1))

    def _drawing_matrix(self, phase: tuple[int, int]) -> tuple[list[int], Tensor]:
        """Which cells a cube touches, and the matrix from their codes and the cube's own to its pixels.

        The matrix [(cells + 1) * code, 256 * channels] is zero where a pixel lies outside of a cell.
        """
        c, side = self.head.cell, self.head.side
        spans = [
            [(i, max(0, i * c - p), min(16, (i + 1) * c - p), max(0, p - i * c)) for i in range(side)] for p in phase
        ]
        cells, blocks = [], []
        for (i, top, bottom, dy), (j, left, right, dx) in product(*spans):
            if bottom > top and right > left:
                block = torch.zeros_like(self.cube_basis)
                texels = self.cell_basis[:, dy : dy + bottom - top, dx : dx + right - left]
                block[:, top:bottom, left:right] = texels
                cells.append(i * side + j)
                blocks.append(block)
        return cells, torch.cat([*blocks, self.cube_basis]).flatten(1)

    def _pixels(
        self, rows: Tensor | None, drawn: Tensor, film: Tensor, colours: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Pixels of one frame's cubes.

        Args:
            rows: int32 [n, 256, R] rows of the canvas table to add up, or None.
            drawn: [n, 256, channels]; film: [2 * pixel_dim]; colours: [K, 4] RGB and a column of ones, or None.
        Returns:
            entry [n, 256], and with `colours` the mean colour [n, 256, 3] and the confidence [n, 256].
        """
        scale, shift = film.float().chunk(2)
        scale = 1 + scale
        drawn_to_hidden, bias = self.drawn * scale, torch.addcmul(shift, self.bias, scale)
        if self.kernel is not None:
            table = None if rows is None or self.canvas is None else self.canvas.table
            return self.kernel(table, rows, drawn, drawn_to_hidden, scale, bias, colours)
        at_once = CPU_CUBES if drawn.device.type == "cpu" else GPU_CUBES
        made = []
        for start in range(0, len(drawn), at_once):
            content = drawn[start : start + at_once].flatten(0, 1)
            if rows is None or self.canvas is None:
                hidden = torch.addmm(bias, content, drawn_to_hidden)
            else:
                texture = F.embedding_bag(rows[start : start + at_once].flatten(0, 1), self.canvas.table, mode="sum")
                hidden = torch.addcmul(bias, texture, scale, out=texture).addmm_(content, drawn_to_hidden)
            logits = torch.addmm(self.out_bias, torch.ops.aten.gelu_(hidden), self.out)
            made.append(read_pixels(logits, colours))
        entry = self.entries.index_select(0, torch.cat([m[0] for m in made])).to(torch.uint8).view(-1, 256)
        if colours is None:
            return entry, None, None
        return (
            entry,
            torch.cat([m[1] for m in made if m[1] is not None]).view(-1, 256, 3),
            torch.cat([m[2] for m in made if m[2] is not None]).view(-1, 256),
        )


def read_pixels(logits: Tensor, colours: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """logits float32 [P, K], overwritten -> place of the largest int32 [P], mean colour uint8 [P, 3], confidence [P].

    colours: float [K, 4], RGB and one (zeros where an entry does not count), or None.

    The entry's number takes the place of the lowest bits of each logit, so that one (vectorised) maximum finds value
    and place. Logits that differ by less than 2^-17 of their size may be confused. Where the second entry is at least
    e^_CERTAIN times less probable than the first, as in most pixels, the mean colour is taken to be that of the first
    and the confidence counts these two alone.
    """
    mask = (1 << (logits.shape[1] - 1).bit_length()) - 1
    coded = logits.view(torch.int32)
    coded.bitwise_and_(~mask).bitwise_or_(torch.arange(logits.shape[1], dtype=torch.int32, device=logits.device))
    largest = logits.amax(1)
    first = largest.view(torch.int32) & mask
    if colours is None:
        return first, None, None
    margin = largest - logits.scatter_(1, first.long()[:, None], -torch.inf).amax(1)
    sums = colours.index_select(0, first)  # of e^(logit - largest) times colour and one, over the first entry alone
    confidence = margin.sigmoid()
    unsure = (margin < _CERTAIN).nonzero()[:, 0]
    rest = logits.index_select(0, unsure) - largest.index_select(0, unsure)[:, None]
    # Denormal numbers (below e^-87) take a hundred times longer and cannot show in eight bits of colour.
    some = sums.index_select(0, unsure) + rest.clamp_(min=-80).exp_() @ colours
    confidence[unsure] = 1 / some[:, 3]
    sums[unsure] = some / some[:, 3:]
    return first, sums[:, :3].round().clamp_(0, 255).to(torch.uint8), confidence


def _by_slice(queries: Tensor, slices: int) -> list[tuple[int, Tensor]]:
    """Flat cube indices [Q] -> for each slice that occurs: its number and the places of its cubes in the list."""
    piece = queries % slices
    order = piece.argsort(stable=True)
    counts = torch.bincount(piece, minlength=slices).tolist()
    return [(s, places) for s, places in enumerate(order.split(counts)) if len(places)]
