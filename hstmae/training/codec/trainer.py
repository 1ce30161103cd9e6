"""Training of the codec: the state's side goes on learning, while cells that it draws badly learn to be coded.

Every step draws clips as a decoder of a group of pictures meets them: state of the group alone, nothing visible. All
chosen cubes are drawn from the state; those that come out badly are drawn a second time with the latents of their
cells, kept to a random number of stages.
"""

import json
import math
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...codec.neural.grid import OUTSIDE
from ...codec.neural.model import CodecModel, check_codec, draw_cells
from ...codec.neural.painting import Painter, fast_head
from ...codec.neural.rvq import health
from ...codec.neural.weights import load_codec, save_codec
from ...data.store.reader import EpisodeStore
from ...errors import ConfigError
from ...games import GameState
from ...limits import check_ranges
from ...model_folders import find_model, is_codec
from ...models.cubes import take_cubes, to_cubes
from ...models.state.tokens import FULL
from ...models.zoo import load_pretrained
from ..averaging import WeightAverage
from ..losses.fused import reconstruction
from ..masks.inputs import choose_queries
from ..run.progress import psnr
from ..run.records import MetricsLog
from .cells import CellPool, choose_cells
from .clips import CodecClip, CodecClips
from .config import RANGES, CodecRun
from .tables import find_kept, fit_lossless, fit_prior


class CodecTrainer:
    """The model in training, its optimiser, and the pool of cells that the codebooks learn from."""

    def __init__(self, run: CodecRun) -> None:
        """Raises ConfigError or StoreError for a run that cannot start."""
        check_codec(run.codec)
        check_ranges(run.train, RANGES, "configuration: train.")
        self.run, self.train = run, run.train
        if self.train.threads:
            torch.set_num_threads(self.train.threads)
        torch.manual_seed(self.train.seed)
        self.model = first_model(run)
        self.fresh = not bool(self.model.rvq.codebooks.any())  # no codec model to go on from
        store = EpisodeStore(self.train.store)
        self.clips = CodecClips(store, "train", self.train.gop, self.train.clip, self.train.stride)
        self.average = WeightAverage(self.model, self.train.ema)
        own = ("cell_encoder", "drawer", "to_hidden", "to_logits")
        named = list(self.model.named_parameters())
        mine = [p for n, p in named if n.startswith(own)]
        given = [p for n, p in named if not n.startswith(own)]
        self.optimizer = torch.optim.AdamW(
            [{"params": mine, "peak": self.train.lr}, {"params": given, "peak": self.train.state_lr}],
            lr=self.train.lr, betas=(0.9, 0.95), weight_decay=0.01, fused=True,
        )  # fmt: skip
        self.rng = np.random.default_rng(self.train.seed)
        self.generator = torch.Generator().manual_seed(self.train.seed)
        size = self.clips.game.native_size
        self.size = (size[0], size[1])
        self.pool = CellPool(self.train.pool)  # changed cells
        self.any = CellPool(self.train.pool)
        self.step = 0

    @torch.no_grad()
    def prepare(self) -> None:
        """Fill the pools from clips drawn from the state alone; a fresh codec's latents and codebooks start there."""
        head = fast_head(self.model)
        colours = self.model.palette.numpy().astype(np.int64)
        for _ in range(self.train.first_clips):
            clip = self.clips.draw(self.rng)
            painter = Painter(self.model, head, clip.state, clip.grid)
            wrong = ((colours[painter.from_state()] - colours[clip.frames]) ** 2).mean(-1)
            error = clip.grid.sum_by_cell(wrong) / np.maximum(clip.grid.sum_by_cell(np.ones_like(wrong)), 1)
            used = np.flatnonzero(clip.grid.used().reshape(-1))
            self.pool.add(clip.grid.pixels(clip.frames, used[error[used] > self.train.changed]))
            self.any.add(clip.grid.pixels(clip.frames, self.rng.choice(used, min(100, len(used)), replace=False)))
        if self.fresh:
            both = torch.cat([self.pool.cells, self.any.cells])
            self.model.start_cells(both, self.generator)
            self.model.rvq.start(self.model.cell_encoder(both), self.generator)
            self.average = WeightAverage(self.model, self.train.ema)

    def advance(self) -> dict[str, float]:
        """One optimiser step; returns its terms."""
        t = self.train
        self.model.train()
        if self.model.head.memory is not None:
            self.model.head.memory.eval()
        scale = min(1.0, (self.step + 1) / max(1, t.warmup))
        scale *= 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, self.step / max(1, t.steps))))
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * scale
        with_state = bool(self.rng.random() < t.with_state)
        clips = [self.clips.draw(self.rng, float(with_state)) for _ in range(t.batch)]
        frames = torch.from_numpy(np.stack([c.frames for c in clips]))
        state = None
        if with_state:
            states = [c.state for c in clips if c.state is not None]
            state = GameState.stack(states, lambda a: torch.from_numpy(np.stack(a)))
        loss, terms = self._losses(clips, frames, state)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.average.update(self.model, self.step)
        self._codebooks()
        self.step += 1
        return terms

    def _losses(
        self, clips: list[CodecClip], frames: Tensor, state: GameState | None
    ) -> tuple[Tensor, dict[str, float]]:
        t, model = self.train, self.model
        b, slices = len(clips), t.clip // 2
        cubes = to_cubes(frames)
        every = torch.arange(cubes.shape[1] * slices).expand(b, -1)
        queries = choose_queries(cubes, every, t.queries, t.hard_queries, self.generator)
        done = model.decode(state, torch.full((b,), FULL), queries, slices, self.size)
        hidden = model.hidden(done)
        target = take_cubes(cubes, queries)
        palette = model.palette.expand(b, -1, -1)
        plain, colours, said = reconstruction(model.logits(hidden), target, palette, t.rgb_loss)
        wrong = (colours.detach() - model.palette[target.int()].float() / 255).square().mean(-1) * 65025
        cells = choose_cells(clips, queries, wrong, t, model.rvq.stages, self.rng)
        self.pool.add(cells.pixels[cells.changed].numpy())
        picked = cells.chosen[..., None, None, None]
        worst = hidden.gather(1, picked[..., None].expand(-1, -1, 2, 16, 16, hidden.shape[-1]))
        drawn, commit = model(cells.pixels, cells.stages)
        logits = model.logits(worst, draw_cells(drawn, cells.local, cells.inside))
        again = target.gather(1, picked.expand(-1, -1, 2, 16, 16))
        coded, _, done_terms = reconstruction(logits, again, palette, t.rgb_loss)
        alone, alone_mse, alone_commit = self._alone()
        loss = plain + 2 * coded + alone + t.commitment * (commit + alone_commit)
        terms = {
            "mse": float(said["mse"]), "coded_mse": float(done_terms["mse"]), "coded_ce": float(done_terms["ce"]),
            "state_mse": float(wrong.gather(1, picked.expand_as(again)).mean() / 65025), "alone_mse": alone_mse,
            "commit": float(commit.detach()), "changed": float(cells.changed.sum()),
        }  # fmt: skip
        return loss, terms

    def _alone(self) -> tuple[Tensor, float, Tensor]:
        """Draw pooled cells from their latents alone: loss, mean square error and commitment loss.

        Changed cells are few, and this teaches what cells look like, whether the state tells them or not.
        """
        t, stages = self.train, self.model.rvq.stages
        cells = torch.cat([self.pool.draw(t.plain // 2, self.generator), self.any.draw(t.plain // 2, self.generator)])
        used = torch.randint(1, stages + 1, (len(cells),), generator=self.generator)
        used = torch.where(torch.rand(len(cells), generator=self.generator) < 0.5, stages, used)
        drawn, commit = self.model(cells, used)
        logits = self.model.head.colours.bias + self.model.to_logits(drawn)
        inside = cells != OUTSIDE
        loss, _, terms = reconstruction(
            logits[None], torch.where(inside, cells, 0)[None], self.model.palette[None], t.rgb_loss,
            torch.where(inside, 1.0, 1e-3)[None],
        )  # fmt: skip
        return loss, float(terms["mse"]), commit

    @torch.no_grad()
    def _codebooks(self) -> None:
        t, rvq = self.train, self.model.rvq
        cells = torch.cat([self.pool.draw(3072, self.generator), self.any.draw(1024, self.generator)])
        z = self.model.cell_encoder(cells)
        rvq.learn(z)
        if self.step % t.restart_every == 0 and self.step < t.steps * 5 // 6:
            rvq.restart(z, self.generator)

    @property
    def averaged(self) -> CodecModel:
        """The averaged copy of the model."""
        assert isinstance(self.average.model, CodecModel)
        return self.average.model

    @torch.no_grad()
    def codebook_health(self) -> dict[str, Any]:
        """Share of codes used by the pool and their perplexity, per stage, with the averaged weights."""
        model = self.averaged
        used, perplexity = health(model.rvq.quantise(model.cell_encoder(self.pool.cells)), model.rvq.codes)
        return {"used": [round(u, 4) for u in used], "perplexity": [round(p, 1) for p in perplexity]}

    def fit(self) -> dict[str, Any]:
        """Train to the end (or to `max_minutes`), then make the entropy coder's tables.

        Writes metrics.jsonl and the folder `model` of averaged weights into the run folder.

        Returns:
            The last line of metrics.jsonl.
        """
        t, out = self.train, Path(self.train.out)
        out.mkdir(parents=True, exist_ok=True)
        began, recent, line = time.monotonic(), list[dict[str, float]](), dict[str, Any]()
        self.prepare()
        over = False
        with closing(MetricsLog(out, -1)) as log:
            while not over:
                if self.step < t.steps:
                    recent.append(self.advance())
                minutes = (time.monotonic() - began) / 60
                over = self.step >= t.steps or 0 < t.max_minutes < minutes
                if over or self.step % t.log_every == 0:
                    line = {"step": self.step, "minutes": round(minutes, 2)}
                    for name in recent[0] if recent else ():
                        mean = float(np.mean([r[name] for r in recent]))
                        line[name.replace("mse", "psnr")] = round(psnr(mean) if "mse" in name else mean, 4)
                    line |= {"pool": len(self.pool), **self.codebook_health()}
                    recent.clear()
                    log.write(line)
                    print(json.dumps(line), file=sys.stderr, flush=True)
        self.finish(out / "model")
        return line

    def finish(self, folder: Path) -> None:
        """Make the tables of the averaged model and write it."""
        t, model = self.train, self.averaged
        if t.table_groups:
            kept = find_kept(self.clips, self.rng)
            model.kept.copy_(torch.from_numpy(kept.astype(np.uint8)))
            fit_lossless(self.clips, kept, t.seed, t.table_groups, folder, f"{model.config.name}-rows")
            fit_prior(model, self.clips, self.rng, max(1, t.table_groups // 8), t.table_quality)
        save_codec(model, folder)


def first_model(run: CodecRun) -> CodecModel:
    """The model that `train.init` names: an autoencoder's, or a codec model to go on from.

    Raises:
        CheckpointError: there is none; ConfigError: it has another configuration.
    """
    init = run.train.init
    if is_codec(find_model(init)):
        model = load_codec(init)
        if model.config != run.codec:
            raise ConfigError(f"the section codec is not the configuration of {init} (train.init)")
        return model.requires_grad_(True)
    mae = load_pretrained(init)
    if mae.config != run.codec.model:
        raise ConfigError(f"codec.model is not the configuration of {init} (train.init)")
    return CodecModel.from_autoencoder(mae, run.codec)
