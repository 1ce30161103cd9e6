"""Fits the network that draws what no frame shows (`hstmae.models.completion`) on footage of many games.

    python scripts/record_games.py --out data/games
    python scripts/train_completion.py data/games --out out/completion --minutes 90

Frames of the first episode of every game, those of every fifth game left out, to measure on. Pieces of them, turned,
mirrored and with colours exchanged, lose a rectangle, most of their squares, single pixels or lines. The error of every
piece counts by its logarithm, as decibels do. Goes on where it was when it is run again.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hstmae.data.store.reader import EpisodeStore
from hstmae.models.completion import Completion, save_completion, smooth

EVERY, SIDE, BATCH = 10, 128, 12
RATE, FLOOR = 1.5e-3, 3e-4  # peak learning rate; squared error from which a better one counts less
EMA = 0.998
HELD = 5  # every fifth game


def load(store: EpisodeStore, held: bool) -> list[np.ndarray]:
    """uint8 [T, H, W, 3] of each game."""
    made = []
    for number, info in enumerate(store.infos()):
        if number % 2 or (number // 2 % HELD == HELD - 1) != held:
            continue
        made.append(store.read(number, range(0, info.frames, EVERY), columns=()).frames)
    return made


def hidden(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """bool [height, width]; some of it missing, some of it not."""
    mask = np.zeros((height, width), bool)
    kind = rng.random()
    if kind < 0.4:  # rectangles
        for _ in range(rng.integers(1, 4)):
            rows = int(rng.integers(8, height // 2 + 16))
            columns = int(rng.integers(8, width // 2 + 16))
            top, left = rng.integers(-rows // 2, height - rows // 2), rng.integers(-columns // 2, width - columns // 2)
            mask[max(top, 0) : max(top + rows, 0), max(left, 0) : max(left + columns, 0)] = True
            if rng.random() < 0.6:
                break
    elif kind < 0.85:  # squares
        side, share = int(rng.choice([8, 16, 16, 16, 24])), rng.uniform(0.1, 0.9)
        some = rng.random((height // side + 2, width // side + 2)) < share
        dy, dx = rng.integers(side, size=2)
        mask = some.repeat(side, 0).repeat(side, 1)[dy : dy + height, dx : dx + width].copy()
    elif kind < 0.95:
        mask = rng.random((height, width)) < rng.uniform(0.3, 0.95)
    else:
        mask[:, rng.random(width) < 0.1] = True
        mask[rng.random(height) < 0.1] = True
    return mask


def piece(rng: np.random.Generator, frames: np.ndarray) -> np.ndarray:
    frame = frames[rng.integers(len(frames))]
    height, width = frame.shape[:2]
    top, left = rng.integers(max(1, height - SIDE + 1)), rng.integers(max(1, width - SIDE + 1))
    cut = frame[top : top + SIDE, left : left + SIDE]
    cut = np.pad(cut, ((0, SIDE - cut.shape[0]), (0, SIDE - cut.shape[1]), (0, 0)), mode="edge")
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    if rng.random() < 0.2:
        cut = cut[::-1]
    if rng.random() < 0.15:
        cut = cut.transpose(1, 0, 2)
    if rng.random() < 0.6:
        cut = cut[..., rng.permutation(3)]
    if rng.random() < 0.2:
        cut = 255 - cut
    return cut


def batch(rng: np.random.Generator, games: list[np.ndarray]) -> tuple[Tensor, Tensor]:
    cuts, masks = [], []
    while len(cuts) < BATCH:
        mask = hidden(rng, SIDE, SIDE)
        if 0.005 < mask.mean() < 0.97:
            cuts.append(piece(rng, games[rng.integers(len(games))]))
            masks.append(mask)
    rgb = torch.from_numpy(np.ascontiguousarray(np.stack(cuts))).permute(0, 3, 1, 2).float() / 255
    return rgb, torch.from_numpy(np.stack(masks))


def errors(made: Tensor, rgb: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over the missing pixels of each, [N]."""
    weight = mask[:, None].float()
    return ((made - rgb) ** 2 * weight).sum((1, 2, 3)) / (3 * weight.sum((1, 2, 3)))


@torch.no_grad()
def validate(model: Completion, games: list[np.ndarray]) -> str:
    """Mean gain over the smooth drawing by kind of damage, in dB, one figure for each game first."""
    told = []
    for name in ("logo", "squares 50 %", "squares 90 %"):
        gains, ours_all = [], []
        for number, frames in enumerate(games):
            rng = np.random.default_rng(number)
            ours, base = [], []
            for t in (0, len(frames) // 2, len(frames) - 1):
                frame = frames[t][:256, :256]
                height, width = (n // 32 * 32 for n in frame.shape[:2])
                mask = np.zeros((height, width), bool)
                if name == "logo":
                    rows, columns = int(height * 0.2), int(width * 0.4)
                    top, left = rng.integers(height - rows), rng.integers(width - columns)
                    mask[top : top + rows, left : left + columns] = True
                else:
                    some = rng.random((height // 16, width // 16)) < float(name.split()[1]) / 100
                    mask = some.repeat(16, 0).repeat(16, 1)
                rgb = torch.from_numpy(frame[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255
                hole = torch.from_numpy(mask)[None]
                seen = rgb * ~hole[:, None]
                drawn = model(seen, hole).clamp(0, 1)
                ours.append(float(errors(drawn, rgb, hole)))
                base.append(float(errors(smooth(seen, hole[:, None].float()), rgb, hole)))
            ours_all.append(-10 * np.log10(max(np.mean(ours), 1.5e-6)))
            gains.append(ours_all[-1] + 10 * np.log10(max(np.mean(base), 1.5e-6)))
        told.append(f"{name} {np.mean(ours_all):.2f} dB ({np.mean(gains):+.2f}, worst {min(gains):+.2f})")
    return ", ".join(told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; completion.safetensors in it")
    parser.add_argument("--minutes", type=float, default=90, help="of this and earlier starts together")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    store, last = EpisodeStore(args.store), args.out / "last.pth"
    games, held = load(store, False), load(store, True)
    torch.manual_seed(0)
    model, mean = Completion().to(memory_format=torch.channels_last), Completion()
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-3)
    step, spent = 0, 0.0
    if last.exists():
        kept = torch.load(last, weights_only=True)
        model.load_state_dict(kept["model"])
        mean.load_state_dict(kept["mean"])
        optimizer.load_state_dict(kept["optimizer"])
        step, spent = kept["step"], kept["spent"]
    else:
        mean.load_state_dict(model.state_dict())
    began, total, shown = time.monotonic() - spent, args.minutes * 60, 0.0
    while (now := time.monotonic() - began) < total:
        done = now / total
        rate = RATE * min(1, (step + 1) / 200) * 0.5 * (1 + np.cos(np.pi * done))
        for group in optimizer.param_groups:
            group["lr"] = rate
        rng = np.random.default_rng([1, step])
        rgb, mask = batch(rng, games)
        error = errors(model(rgb * ~mask[:, None], mask), rgb, mask)
        loss = (error + FLOOR).log().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        shown = shown * 0.98 + loss.item() * 0.02 if step > 1 else loss.item()
        keep = min(EMA, (1 + step) / (10 + step))
        with torch.no_grad():
            for a, b in zip(mean.parameters(), model.parameters(), strict=True):
                a.lerp_(b, 1 - keep)
        if step % 100 == 0:
            print(f"step {step}: loss {shown:.3f}, {now / 60:.1f} min, rate {rate:.2e}", flush=True)
        if step % 500 == 0 or now > total - 2:
            torch.save(
                {"model": model.state_dict(), "mean": mean.state_dict(), "optimizer": optimizer.state_dict(),
                 "step": step, "spent": now},
                last.with_suffix(".part"),
            )  # fmt: skip
            last.with_suffix(".part").rename(last)
            save_completion(mean, args.out / "completion.safetensors")
            print(f"step {step}: {validate(mean.eval(), held)}", flush=True)
    save_completion(mean, args.out / "completion.safetensors")
    print(f"step {step}: {validate(mean.eval(), held)}", flush=True)


if __name__ == "__main__":
    main()
