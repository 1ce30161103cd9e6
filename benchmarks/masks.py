"""What the curriculum's masks hide, measured against random tubes.

    python benchmarks/masks.py --store data/preprocessed --clips 64

For moments of the run: the exact share of hidden units, and for each kind of mask the mean rank (0 = least, 1 = most,
0.5 = as random) of the units that stay visible, by how much their pixels tell and by what the state says is there,
beside the share of the player's place that is hidden. The adversary is judged before it has seen a loss.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict

import torch

from hstmae.atomic import write_json
from hstmae.config import CurriculumConfig, RunConfig, TrainConfig
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import HstError
from hstmae.games import get_game
from hstmae.models.masking import score_ranks
from hstmae.training.masks.curriculum import mask_source, moment_at
from hstmae.training.masks.unit_scores import change, information, moving_objects, semantics

STEPS = 300
BATCH = 8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", required=True)
    parser.add_argument("--clips", type=int, default=64, help="random clips (64)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="write the figures here, too")
    args = parser.parse_args()
    clips = ClipDataset(EpisodeStore(args.store), clip=16, stride=4, crop=224, seed=args.seed)
    game = get_game(clips.store.game)
    found: dict[tuple[int, str], list[list[float]]] = defaultdict(list)
    hidden: dict[int, set[int]] = defaultdict(set)
    seconds = 0.0
    for number in range(max(1, args.clips // BATCH)):
        batch = clips.batch(number, BATCH)
        grid = (batch.frames.shape[2] // 16, batch.frames.shape[3] // 16)
        meant = semantics(change(batch.frames), batch.state, batch.origin, grid, game.sprite_size)
        ranks = torch.stack([score_ranks(information(batch.frames)), score_ranks(meant)])
        player = torch.zeros(len(batch), grid[0] * grid[1])
        if batch.state is not None and "player" in game.regions:
            boxes = batch.state.boxes * (batch.state.boxes[..., :1] == game.regions.index("player"))
            nothing = batch.state.sprites[:, :, :0]
            state = batch.state.map(lambda a: a)
            state.boxes, state.sprites = boxes, nothing
            player = moving_objects(state, batch.origin, grid, game.sprite_size)
        train = TrainConfig(steps=STEPS, seed=number, curriculum=CurriculumConfig(enabled=True, damage=0.0))
        masks = mask_source(RunConfig(train=train))
        for step in (0, STEPS // 6, STEPS // 3 - 2, STEPS // 2, 5 * STEPS // 6, STEPS - 1):
            began = time.process_time()
            inputs = masks.draw(batch, step)
            seconds += time.process_time() - began
            hidden[step].add(grid[0] * grid[1] - inputs.visible.shape[1])
            for clip, kind in enumerate(inputs.kinds):
                seen = inputs.visible[clip]
                share = 1 - (player[clip, seen].sum() / player[clip].sum().clamp_min(1e-9)).item()
                found[step, kind].append([*ranks[:, clip, seen].mean(1).tolist(), share])
    rows = []
    print(f"{'step':>5s} {'phase':>5s} {'ratio':>6s} {'hidden':>7s} {'masks':12s} {'clips':>6s}", end="")
    print(f" {'detail':>7s} {'moving':>7s} {'player':>7s}")
    for (step, kind), values in sorted(found.items()):
        now = moment_at(CurriculumConfig(), step, STEPS)
        detail, moving, share = torch.tensor(values).mean(0).tolist()
        counts = "/".join(map(str, sorted(hidden[step])))
        print(f"{step:5d} {now.phase:5d} {now.ratio:6.2f} {counts:>7s} {kind:12s} {len(values):6d}", end="")
        print(f" {detail:7.3f} {moving:7.3f} {share:7.1%}")
        rows.append({"step": step, "phase": now.phase, "ratio": now.ratio, "hidden": sorted(hidden[step]), "kind": kind,
                     "clips": len(values), "detail": detail, "moving": moving, "player_hidden": share})  # fmt: skip
    draws = 6 * max(1, args.clips // BATCH)
    print(f"{1000 * seconds / draws:.1f} ms of processor time for the masks and queries of {BATCH} clips")
    if args.json:
        write_json(args.json, {"rows": rows, "ms_per_batch": 1000 * seconds / draws})
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HstError as error:
        sys.exit(f"masks: error: {error}")
