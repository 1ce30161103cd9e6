"""A VideoMAE of a wanted size, trained by this project's own loop: what `benchmarks/videomae.py` compares with.

The network is `VideoMAEForPreTraining` of Hugging Face transformers (https://arxiv.org/abs/2203.12602). It gets the
visible cubes in RGB and draws all hidden ones. Its tokens run slice by slice, ours unit by unit; `hidden_tokens` and
`put_back` translate. Targets are plain RGB (`norm_pix_loss=False`): the paper's default normalises each cube by the
mean and deviation of the truth, which nobody has who restores.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from hstmae.data.clips.clip import ClipBatch
from hstmae.models.cubes import CUBE, DEPTH, from_cubes, grid_size, to_cubes
from hstmae.training.run.trainer import Trainer

if TYPE_CHECKING:
    from transformers import VideoMAEConfig

CUBE_VALUES = DEPTH * CUBE * CUBE * 3
DECODER_DEPTH, HEAD_DIM, DEPTH_WANTED = 4, 64, 12  # the paper's decoder depth, head width and ViT depth
TOLERANCE = 0.05  # of the number of parameters
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, which VideoMAE expects its input scaled by


def count_parameters(width: int, depth: int) -> int:
    """Weights of a VideoMAE with an encoder of this width and depth and a decoder half as wide, four blocks deep."""

    def blocks(dim: int, count: int) -> int:
        return count * (12 * dim * dim + 12 * dim)

    half = width // 2
    encoder = CUBE_VALUES * width + width + blocks(width, depth) + 2 * width
    between = width * half + half  # the projection and the mask token
    return encoder + between + blocks(half, DECODER_DEPTH) + 2 * half + half * CUBE_VALUES + CUBE_VALUES


def shape_for(parameters: int) -> tuple[int, int]:
    """Width and depth of the encoder whose VideoMAE has this many weights, within 5 %.

    Widths are multiples of 64 (one attention head); among those that fit, the depth is the one nearest to 12.

    Raises:
        ValueError: no shape comes near enough; the smallest has a bit more than half a million weights.
    """
    fits = []
    for width in range(HEAD_DIM, 1601, HEAD_DIM):
        for depth in range(2, 33):
            off = abs(count_parameters(width, depth) / parameters - 1)
            if off <= TOLERANCE:
                fits.append((abs(depth - DEPTH_WANTED), off, width, depth))
    if not fits:
        raise ValueError(f"no VideoMAE has {parameters} parameters within {TOLERANCE:.0%}")
    return min(fits)[2:]


def config_for(parameters: int, side: int, frames: int) -> VideoMAEConfig:
    """The configuration of a VideoMAE with this many weights, for clips of `frames` pictures of side x side pixels."""
    from transformers import VideoMAEConfig

    width, depth = shape_for(parameters)
    heads = width // HEAD_DIM
    return VideoMAEConfig(
        image_size=side, patch_size=CUBE, num_frames=frames, tubelet_size=DEPTH, hidden_size=width,
        num_hidden_layers=depth, num_attention_heads=heads, intermediate_size=4 * width,
        decoder_hidden_size=width // 2, decoder_num_hidden_layers=DECODER_DEPTH, decoder_num_attention_heads=heads,
        decoder_intermediate_size=2 * width, norm_pix_loss=False, use_mean_pooling=False,
    )  # fmt: skip


def hidden_tokens(visible: Tensor, units: int, slices: int) -> Tensor:
    """Visible units int64 [B, U] -> bool [B, slices * units], True = hidden, in VideoMAE's order, slice by slice."""
    hidden = torch.ones(len(visible), units, dtype=torch.bool, device=visible.device).scatter(1, visible, False)
    return hidden[:, None].expand(-1, slices, -1).flatten(1)


def put_back(drawn: Tensor, hidden: Tensor, colours: Tensor) -> Tensor:
    """Write what VideoMAE drew into a clip.

    Args:
        drawn: [B, M, 1536], the hidden tokens' pixels, each token as (frame, y, x, colour).
        hidden: bool [B, S * N] of `hidden_tokens`, M of them True in each row.
        colours: [B, T, H, W, 3], the same number type; is not changed.
    Returns:
        A clip like `colours` in which the hidden cubes are the drawn ones.
    """
    cubes = to_cubes(colours)
    b, n, s = cubes.shape[:3]
    tokens = cubes.transpose(1, 2).flatten(1, 2).clone()
    tokens[hidden] = drawn.reshape(-1, DEPTH, CUBE, CUBE, 3)
    size = (colours.shape[2], colours.shape[3])
    return from_cubes(tokens.view(b, s, n, *tokens.shape[2:]).transpose(1, 2), size)


def in_colour(frames: Tensor, palette: Tensor) -> Tensor:
    """Palette entries uint8 [B, T, H, W] and palettes uint8 [B, K, 3] -> uint8 [B, T, H, W, 3]."""
    return torch.stack([p[f.long()] for p, f in zip(palette, frames, strict=True)])


def to_input(colours: Tensor) -> Tensor:
    """uint8 [B, T, H, W, 3] -> float32 [B, T, 3, H, W], scaled as VideoMAE expects."""
    mean, std = (torch.tensor(x, device=colours.device) for x in (MEAN, STD))
    return ((colours.float() / 255 - mean) / std).permute(0, 1, 4, 2, 3).contiguous()


class VideoMAE(nn.Module):
    """`VideoMAEForPreTraining`, asked by units as our models are."""

    def __init__(self, config: VideoMAEConfig):
        super().__init__()
        from transformers import VideoMAEForPreTraining

        self.net: Any = VideoMAEForPreTraining(config)

    def no_weight_decay(self) -> set[str]:
        return {"mask_token"}

    def forward(self, colours: Tensor, visible: Tensor) -> Tensor:
        """Mean squared error, colours in 0 .. 1, of all hidden pixels of clips uint8 [B, T, H, W, 3]."""
        return self.net(to_input(colours), bool_masked_pos=self._hidden(colours, visible)).loss

    def draw(self, pixels: Tensor, hidden: Tensor) -> Tensor:
        """What `VideoMAEForPreTraining` answers, without the loss that it would work out too.

        Args:
            pixels: float [B, T, 3, H, W] of `to_input`; hidden: bool [B, S * N] of `hidden_tokens`.
        Returns:
            Colours [B, M, 1536] around 0 .. 1 of the hidden tokens.
        """
        seen = self.net.encoder_to_decoder(self.net.videomae(pixels, bool_masked_pos=hidden).last_hidden_state)
        place = self.net.position_embeddings.to(seen).expand(len(seen), -1, -1)
        wanted = self.net.mask_token + place[hidden].view(len(seen), -1, seen.shape[-1])
        tokens = torch.cat([seen + place[~hidden].view_as(seen), wanted], 1)
        return self.net.decoder(tokens, wanted.shape[1]).logits

    def restore(self, colours: Tensor, visible: Tensor) -> Tensor:
        """Clips uint8 [B, T, H, W, 3] with their hidden cubes drawn; what is hidden is blanked before it is read."""
        hidden = self._hidden(colours, visible)
        count = int(hidden.sum()) // len(hidden)
        blank = put_back(colours.new_zeros(len(hidden), count, CUBE_VALUES), hidden, colours)
        drawn = (self.draw(to_input(blank), hidden).float() * 255).round().clamp(0, 255).to(torch.uint8)
        return put_back(drawn, hidden, blank)

    def _hidden(self, colours: Tensor, visible: Tensor) -> Tensor:
        rows, columns = grid_size(colours.shape[2], colours.shape[3])
        return hidden_tokens(visible, rows * columns, colours.shape[1] // DEPTH)


class VideoMAETrainer(Trainer):
    """The project's loop around VideoMAE: clips, masks, schedule, averaged weights and checkpoints as in any run."""

    def _add_gradients(self, batch: ClipBatch, inputs: Any, number: int, observe: Any) -> dict[str, Tensor]:
        assert batch.palette is not None and self.passes == 1
        with torch.autocast(self.device.type, dtype=self.amp, enabled=self.amp is not None):
            loss = self.net(in_colour(batch.frames, batch.palette), inputs.visible)
        loss.backward()
        return {"loss": loss.detach(), "mse": loss.detach()}

    def _export(self) -> None:
        self.average.model.net.save_pretrained(self.run / "model")  # type: ignore[operator, union-attr]


def load_videomae(folder: Path) -> VideoMAE:
    """The averaged weights that `VideoMAETrainer` wrote, ready for use."""
    from transformers import VideoMAEForPreTraining

    net = VideoMAEForPreTraining.from_pretrained(folder, local_files_only=True)
    model = VideoMAE(net.config)
    model.net = net
    return model.eval()


def require_transformers() -> None:
    """Say what to install where transformers are missing, and stop; keep them quiet where they are there."""
    try:
        from transformers.utils import logging
    except ImportError:
        sys.exit("error: this benchmark compares with VideoMAE of Hugging Face: pip install 'hstmae[bench]'")
    logging.disable_progress_bar()  # of loading a handful of weights
