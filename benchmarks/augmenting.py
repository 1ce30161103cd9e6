"""Do edited clips help who learns from pictures? Two small networks, each with and without them, on levels never seen.

    python benchmarks/augmenting.py --store DIR --test DIR --work DIR [--checkpoint hst-mae-nano] [--seeds 5]
                                    [--clips 16] [--copies 10] [--steps 250] [--json FILE]

`--store` holds recordings of Super Mario Bros. to learn from, `--test` those of levels that are not among them
(episodes of split `val_level` where there are any, else all). For each seed a few clips of 4 pictures are drawn from
the first, and `hstmae.scenarios` makes `--copies` edited ones of each; those of which less than 97 % of the pixels are
sure are left out. A network of four convolutions sees two pictures, three frames apart and half as large, and learns

* state: where the player is, which of 15 x 16 cells hold an enemy, and the three digits of the timer;
* policy: which buttons the recorded player holds (behaviour cloning).

Both arms take as many steps of as many pictures from the same first weights: one sees the clips alone, of the other
half of each batch are edited ones. What is edited differs: for the state everything (places, enemies, numbers, looks,
mirrored worlds), for the policy what does not change which button is right (numbers and looks). Shown are the mean over
seeds of the error on the test levels, its 95 % confidence interval by Student's t, and those of the difference, seed by
seed. What is done is kept in `--work`, and not made again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hstmae.atomic import write_json
from hstmae.data.episode import Episode
from hstmae.data.store.manifest import EpisodeInfo
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import get_game
from hstmae.inference.loading import load
from hstmae.scenarios import Programme, from_options, make_clips
from hstmae.scenarios.values import fixed

FRAMES, SURE, GAP, BATCH, MOST_TESTED = 4, 0.97, 3, 32, 1500
BEFORE = 240  # frames before a clip that the state's context is taken from
ROWS, COLUMNS, CELL = 15, 16, 16
GAME = get_game("smb")
PLAYER, ENEMY = GAME.regions.index("player"), GAME.regions.index("enemy")
TIMER = slice(0x7F8, 0x7FB)
BUTTONS = ("A", "B", "left", "right", "down")  # the others are hardly ever held while a level is played
NUMBERS = ("{number: {timer: 0..400}, chance: 0.7}", "{number: {coins: 0..99}, chance: 0.5}")
LOOKS = ("{any: [{look: [day, night, grey, snow, snowy night, underground, castle]}], chance: 0.4}",)
OBJECTS = (
    "{move: {object: player, x: -48..48, y: -48..16}, chance: 0.5}",
    "{move: {object: enemy, which: all, x: -64..64}, chance: 0.5}",
    "{add: {object: [enemy goomba, enemy koopa], x: 24..216, y: 96..192}, chance: 0.4}",
    "{remove: {object: enemy, which: 0..4}, chance: 0.3}",
)
MIRROR = ("{mirror: true, chance: 0.5}",)
EDITS = {"state": (*NUMBERS, *LOOKS, *OBJECTS, *MIRROR), "policy": (*NUMBERS, *LOOKS)}
ARMS = ("real", "edited")
Data = dict[str, np.ndarray]


@dataclass(frozen=True)
class Stretch:
    """Some frames of one episode of a store, as recordings to edit."""

    store: EpisodeStore
    info: EpisodeInfo
    rows: range

    @property
    def hash(self) -> str:
        return self.store.hash

    def infos(self) -> list[EpisodeInfo]:
        return [replace(self.info, frames=len(self.rows))]

    def read(self, episode: int | str, frame_indices: Any) -> Episode:
        return self.store.read(episode, np.asarray(self.rows)[frame_indices])

    def column(self, episode: int | str, name: str, rows: Any, /) -> np.ndarray:
        return self.store.column(episode, name, np.asarray(self.rows)[rows])


def examples(episode: Episode, now: np.ndarray, before: np.ndarray) -> Data:
    """What is learned from: pictures uint8 [N, 6, 120, 128], and what is true of those of the rows `now`."""
    assert episode.palette is not None and episode.state is not None and episode.actions is not None
    rows = np.unique(np.concatenate([now, before]))
    colours = episode.palette[episode.frames[rows]].astype(np.uint16)
    half = colours.reshape(len(rows), 120, 2, 128, 2, 3).sum((2, 4)) // 4
    half = half.transpose(0, 3, 1, 2).astype(np.uint8)
    pictures = np.concatenate([half[np.searchsorted(rows, some)] for some in (before, now)], 1)
    state = episode.state[now]
    boxes = np.asarray(GAME.decode(state, None).boxes).astype(np.float32)
    middle = (boxes[..., 1:3] + boxes[..., 3:5]) / 2
    player = np.full((len(now), 2), np.nan, np.float32)
    enemies = np.zeros((len(now), ROWS, COLUMNS), np.uint8)
    for t, m in np.argwhere(boxes[..., 0] == PLAYER):
        player[t] = middle[t, m]
    for t, m in np.argwhere(boxes[..., 0] == ENEMY):
        x, y = (middle[t, m] // CELL).astype(int)
        if 0 <= x < COLUMNS and 0 <= y < ROWS:
            enemies[t, y, x] = 1
    bits = [len(GAME.buttons) - 1 - GAME.buttons.index(name) for name in BUTTONS]
    return {
        "pictures": pictures, "player": player, "enemies": enemies, "timer": np.minimum(state[:, TIMER], 9),
        "buttons": np.stack([episode.actions[now] >> bit & 1 for bit in bits], 1),
    }  # fmt: skip


def joined(parts: list[Data]) -> Data:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def of_clip(clip: Episode) -> Data:
    rows = np.arange(1, len(clip.frames))
    return examples(clip, rows, rows - 1)


def learned_from(args: argparse.Namespace, task: str, seed: int) -> tuple[Data, Data, dict[str, int]]:
    """Real and edited examples of a seed, and how many clips of each there are."""
    paths = [args.work / f"{task}-{seed}-{arm}.npz" for arm in ARMS]
    if not all(path.is_file() for path in paths):
        store = EpisodeStore(args.store)
        infos = [info for info in store.infos() if info.split == "train" and info.frames > GAP * FRAMES]
        random = np.random.default_rng(seed)
        steps = from_options([*EDITS[task], f"time: {{every: {GAP}}}"], GAME)
        parts: tuple[list[Data], list[Data]] = ([], [])
        for number in range(args.clips):
            info = infos[int(random.integers(len(infos)))]
            begin = int(random.integers(info.frames - GAP * FRAMES))
            parts[0].append(of_clip(store.read(info.name, range(begin, begin + GAP * FRAMES, GAP))))
            first = max(0, begin - BEFORE)
            stretch = Stretch(store, info, range(first, begin + GAP * FRAMES))
            programme = Programme(steps, args.copies, FRAMES, fixed(begin - first), task)
            notes: list[dict[str, Any]] = []
            loaded = cache(lambda: restorer(args.checkpoint))
            for clip in make_clips(stretch, programme, loaded, 1000 * seed + number, notes, SURE):
                parts[1].append(of_clip(clip.episode))
        for path, some in zip(paths, parts, strict=True):
            np.savez_compressed(path, **joined(some), clips=np.array(len(some)))  # type: ignore[arg-type]
    found = [dict(np.load(path)) for path in paths]
    return found[0], found[1], {arm: int(some.pop("clips")) for arm, some in zip(ARMS, found, strict=True)}


@cache
def restorer(checkpoint: str) -> Any:
    return load(checkpoint)


def tested_on(args: argparse.Namespace) -> Data:
    path = args.work / "test.npz"
    if not path.is_file():
        store = EpisodeStore(args.test)
        infos = [info for info in store.infos() if info.split == "val_level"] or store.infos()
        each = max(1, sum(info.frames for info in infos) // MOST_TESTED)
        parts = []
        for info in infos:
            now = np.arange(GAP, info.frames, each)
            wanted = np.unique(np.concatenate([now, now - GAP]))
            at = [np.searchsorted(wanted, rows) for rows in (now, now - GAP)]
            parts.append(examples(store.read(info.name, wanted), at[0], at[1]))
        np.savez_compressed(path, **joined(parts))  # type: ignore[arg-type]
    return dict(np.load(path))


class Reader(nn.Module):
    """Four convolutions, and a layer for each thing that is read."""

    def __init__(self) -> None:
        super().__init__()
        sizes = ((6, 16, 5, 2), (16, 32, 3, 2), (32, 48, 3, 2), (48, 64, 3, 1))
        layers: list[nn.Module] = []
        for inward, outward, side, stride in sizes:
            layers += [nn.Conv2d(inward, outward, side, stride, side // 2), nn.GroupNorm(8, outward), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)  # -> [N, 64, 15, 16]
        self.player, self.enemies = nn.Conv2d(64, 1, 1), nn.Conv2d(64, 1, 1)
        self.whole = nn.Linear(64 * ROWS * COLUMNS, 30 + len(BUTTONS))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """uint8 [N, 6, 120, 128] -> logits: player's cell [N, 15 * 16], enemies [N, 15, 16], digits [N, 3, 10], buttons
        [N, 5]."""
        x = self.trunk(pictures.float() / 127.5 - 1)
        digits, buttons = self.whole(x.flatten(1)).split((30, len(BUTTONS)), 1)
        return self.player(x).flatten(1), self.enemies(x)[:, 0], digits.unflatten(1, (3, 10)), buttons


def loss_of(task: str, out: tuple[Tensor, ...], true: dict[str, Tensor]) -> Tensor:
    player, enemies, digits, buttons = out
    if task == "policy":
        return F.binary_cross_entropy_with_logits(buttons, true["buttons"].float())
    column, row = (true["player"] / CELL).nan_to_num(-1).floor().long().unbind(1)
    inside = (column >= 0) & (column < COLUMNS) & (row >= 0) & (row < ROWS)
    cell = torch.where(inside, row * COLUMNS + column, -1)
    place = F.cross_entropy(player, cell, ignore_index=-1, reduction="sum") / inside.sum().clamp(min=1)
    weight = torch.tensor(10.0)  # few cells hold an enemy
    there = F.binary_cross_entropy_with_logits(enemies, true["enemies"].float(), pos_weight=weight)
    return place + there + F.cross_entropy(digits.flatten(0, 1), true["timer"].long().flatten())


def train(task: str, parts: list[Data], steps: int, seed: int) -> Reader:
    """As many steps of as many pictures, whatever they are drawn from: equally many of each part."""
    torch.manual_seed(seed)
    model, random = Reader(), np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for _ in range(steps):
        rows = [random.integers(0, len(part["pictures"]), BATCH // len(parts)) for part in parts]
        some = joined([{name: x[r] for name, x in part.items()} for part, r in zip(parts, rows, strict=True)])
        true = {name: torch.from_numpy(x) for name, x in some.items()}
        optimizer.zero_grad()
        loss_of(task, model(true["pictures"]), true).backward()
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.inference_mode()
def errors(task: str, model: Reader, test: Data, real: Data) -> dict[str, float]:
    """What is wrong on the test levels, and what is where the answer is always the most frequent one of the clips."""
    parts = [model(torch.from_numpy(some)) for some in np.array_split(test["pictures"], len(test["pictures"]) // 64)]
    player, enemies, digits, buttons = (torch.cat(outs).numpy() for outs in zip(*parts, strict=True))
    if task == "policy":
        held = test["buttons"].astype(bool)
        most = real["buttons"].mean(0) > 0.5
        return {
            "buttons wrong": float(((buttons > 0) != held).mean()), "always the same": float((most != held).mean()),
            "picture with any wrong": float(((buttons > 0) != held).any(1).mean()),
        }  # fmt: skip
    there, told = test["enemies"].astype(bool), enemies > 0
    hits = int((there & told).sum())
    row, column = np.divmod(player.argmax(1), COLUMNS)
    middle = (np.stack([column, row], 1) + 0.5) * CELL
    median = np.nanmedian(real["player"], 0)
    return {
        "player, pixels": float(np.nanmean(np.abs(middle - test["player"]))),
        "player, always the median": float(np.nanmean(np.abs(median - test["player"]))),
        "enemies, 1 - F1": 1 - 2 * hits / max(1, int(there.sum() + told.sum())),
        "timer, digits wrong": float((digits.argmax(2) != test["timer"]).mean()),
    }


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean, and half of its 95 % confidence interval by Student's t."""
    t = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 8: 2.365, 10: 2.262}.get(len(values), 2.0)
    return float(values.mean()), float(t * values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else float("nan")


def told(runs: list[dict[str, Any]]) -> Iterator[str]:
    for task in EDITS:
        by_arm = {arm: {r["seed"]: r["errors"] for r in runs if r["task"] == task and r["arm"] == arm} for arm in ARMS}
        seeds = sorted(set(by_arm["real"]) & set(by_arm["edited"]))
        for name in by_arm["real"][seeds[0]] if seeds else ():
            rows = [np.array([by_arm[arm][seed][name] for seed in seeds]) for arm in ARMS]
            cells = ["{:.4f} +- {:.4f}".format(*interval(values)) for values in (*rows, rows[1] - rows[0])]
            yield f"| {task}: {name} | " + " | ".join(cells) + f" | {len(seeds)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--store", "--test", "--work"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--checkpoint", default="hst-mae-nano")
    for name, usual in (("--seeds", 5), ("--clips", 16), ("--copies", 10), ("--steps", 250)):
        parser.add_argument(name, type=int, default=usual)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    path = args.json or args.work / "runs.json"
    runs: list[dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else []
    done = {(run["task"], run["seed"], run["arm"]) for run in runs}
    test = tested_on(args)
    for seed in range(args.seeds):
        for task in EDITS:
            if all((task, seed, arm) in done for arm in ARMS):
                continue
            real, edited, clips = learned_from(args, task, seed)
            for arm in ARMS:
                model = train(task, [real] if arm == "real" else [real, edited], args.steps, seed)
                wrong = errors(task, model, test, real)
                found = {"task": task, "seed": seed, "arm": arm, "clips": clips, "errors": wrong}
                runs = [r for r in runs if (r["task"], r["seed"], r["arm"]) != (task, seed, arm)] + [found]
                write_json(path, runs)
                print(found, flush=True)
    print("| error | clips alone | with edited ones | difference | seeds |\n|---|---:|---:|---:|---:|")
    print("\n".join(told(runs)))


if __name__ == "__main__":
    main()
