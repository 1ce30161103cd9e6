"""A game in three dimensions: VizDoom with its own free data (Freedoom), depth and labels as its state.

    pip install vizdoom
    python benchmarks/doom.py --out DIR [--scenario NAME] [--episodes 12] [--frames 750] [--seed 100]
    HSTMAE_GAMES=benchmarks/doom.py hstmae train --config configs/mae_nano_rgb.yaml --data DIR --set model.game=vizdoom

Played by chance, 160x120 in true colour, 35 frames a second. The state of a frame is what the engine tells of it: where
the player stands and looks, health, the distance of 20 x 15 places of the picture (of each 8x8 pixels the mean), and up
to 16 labelled things with their boxes. All of it says what is where, and nothing what it looks like: surfaces are
turned and scaled, so hardly anything is drawn twice the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hstmae.data.sources.base import AT_HAND, Report, SourceFrame
from hstmae.data.store.recording import record_into_store
from hstmae.games import GameState, StateField
from hstmae.games.true_colour import TrueColour

HEIGHT, WIDTH, CELL = 120, 160, 8
ROWS, COLUMNS, THINGS = HEIGHT // CELL, WIDTH // CELL, 16
KINDS = ("other", "item", "monster", "self")
POSE = slice(0, 7)  # x and y as two bytes each, angle as two, health
DEPTH = slice(7, 7 + ROWS * COLUMNS)
LABELS = slice(DEPTH.stop, DEPTH.stop + 5 * THINGS)  # kind + 1 (0 = none), x0, y0, x1, y1
UNIT = 16  # pixels of a depth token's square
OWN = "VizDoom: game variables, depth buffer, labels buffer"
MAX_HOLD = 12  # frames the random player keeps an action


class VizDoom(TrueColour):
    """Tokens: the pose, one for each 16x16 pixels with four distances, one for each thing."""

    name = "vizdoom"
    native_size = (HEIGHT, WIDTH)
    fps = 35.0
    stride = 2
    state_size = LABELS.stop
    fields: ClassVar[tuple[StateField, ...]] = (
        StateField("pose", POSE.start, "x, y, angle in 1/65536 of their range, health", 7, OWN),
        StateField("depth", DEPTH.start, "distance as the engine gives it", ROWS * COLUMNS, OWN),
        StateField("things", LABELS.start, "kind, x0, y0, x1, y1", 5 * THINGS, OWN),
    )
    regions = ("unknown", *KINDS)
    token_names = (
        "pose",
        *(f"depth {y} {x}" for y in range(-(-ROWS // 2)) for x in range(COLUMNS // 2)),
        *(f"thing {i}" for i in range(THINGS)),
    )
    token_features = 8

    def decode(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        """Distances and bytes from 0 to 1; of the angle sine and cosine; of a thing its kind, middle and size."""
        self.check_state(state)
        t, rows, columns = len(state), -(-ROWS // 2), COLUMNS // 2
        pose = np.zeros((t, 1, 8), np.float32)
        words = state[:, 0:6].reshape(t, 3, 2).astype(np.float32) @ np.array([1 / 256, 1 / 65536], np.float32)
        pose[:, 0, :2], pose[:, 0, 4] = words[:, :2], state[:, 6] / 255
        pose[:, 0, 2], pose[:, 0, 3] = np.sin(2 * np.pi * words[:, 2]), np.cos(2 * np.pi * words[:, 2])
        far = np.pad(state[:, DEPTH].reshape(t, ROWS, COLUMNS), ((0, 0), (0, -ROWS % 2), (0, 0)), mode="edge")
        four = far.reshape(t, rows, 2, columns, 2).transpose(0, 1, 3, 2, 4).reshape(t, rows * columns, 4)
        depth = np.zeros((t, rows * columns, 8), np.float32)
        depth[..., :4] = four / np.float32(64)
        y, x = np.divmod(np.arange(rows * columns), columns)
        squares = np.stack([x, y], -1).astype(np.float32) * UNIT + UNIT / 2
        things = state[:, LABELS].reshape(t, THINGS, 5).astype(np.int16)
        used, middle = things[..., 0] > 0, (things[..., 1:3] + things[..., 3:5]).astype(np.float32) / 2
        tokens = np.zeros((t, THINGS, 8), np.float32)
        for kind in range(len(KINDS)):
            tokens[..., kind] = things[..., 0] == kind + 1
        sides = np.array([WIDTH, HEIGHT], np.float32)
        tokens[..., 4:6], tokens[..., 6:8] = middle / sides, (things[..., 3:5] - things[..., 1:3]) / sides
        tokens[~used] = 0
        place = np.concatenate([np.tile(sides / 2, (t, 1, 1)), np.tile(squares, (t, 1, 1)), middle], 1)
        return self.positioned(
            tokens=np.concatenate([pose, depth, tokens], 1),
            xy=place.astype(np.float32),
            valid=np.concatenate([np.ones((t, 1 + rows * columns), bool), used], 1),
            boxes=np.where(used[..., None], things, 0).astype(np.int16),
        )


@dataclass
class DoomEpisode:
    """A `SourceEpisode` that plays while it is read. Where the game ends a new one begins, one frame number further."""

    scenario: str
    seed: int
    size: int
    level: ClassVar[str] = ""
    outcome: ClassVar[str] = "cut"
    fps: ClassVar[float] = VizDoom.fps

    @property
    def name(self) -> str:
        return f"{self.scenario}_random_s{self.seed}_n{self.size}"

    def signature(self, content: bool = False) -> list[list[object]]:
        return [["vizdoom", self.scenario, self.size, self.seed]]

    def frames(
        self, report: Report | None = None, notes: dict[str, int] | None = None, known: Container[int] = ()
    ) -> Iterator[SourceFrame]:
        game, random = _begun(self.scenario, self.seed), np.random.default_rng(self.seed)
        count, number, action, left = len(game.get_available_buttons()), 0, 0, 0
        for _ in range(self.size):
            if game.is_episode_finished():
                game.new_episode()
                number += 1
            if left == 0:
                action, left = int(random.integers(count + 1)), int(random.integers(1, MAX_HOLD + 1))
            left -= 1
            shown, number = game.get_state(), number + 1
            yield SourceFrame(
                number, AT_HAND if number in known else shown.screen_buffer.copy(), None, _memory(shown), action
            )
            game.make_action([float(k == action) for k in range(count)])
        game.close()


def _begun(scenario: str, seed: int) -> Any:
    import vizdoom

    game = vizdoom.DoomGame()
    game.load_config(str(Path(vizdoom.scenarios_path) / f"{scenario}.cfg"))
    game.set_window_visible(False)
    game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
    game.set_screen_format(vizdoom.ScreenFormat.RGB24)
    game.set_depth_buffer_enabled(True)
    game.set_labels_buffer_enabled(True)
    variables = ("POSITION_X", "POSITION_Y", "ANGLE", "HEALTH")
    game.set_available_game_variables([getattr(vizdoom.GameVariable, name) for name in variables])
    game.set_seed(seed)
    game.init()
    return game


def _memory(shown: Any) -> np.ndarray:
    """The state's bytes, uint8 [state_size]. Positions of Doom's maps are from -32768 to 32767."""
    memory = np.zeros(VizDoom.state_size, np.uint8)
    x, y, angle, health = shown.game_variables
    words = np.array([x + 32768, y + 32768, angle / 360 * 65536]).astype(np.int64) & 0xFFFF
    memory[0:6] = np.stack([words >> 8, words & 255], 1).ravel()
    memory[6] = np.clip(health, 0, 255)
    memory[DEPTH] = shown.depth_buffer.reshape(ROWS, CELL, COLUMNS, CELL).mean((1, 3)).round().ravel()
    things = memory[LABELS].reshape(THINGS, 5)
    for slot, label in zip(things, shown.labels, strict=False):
        kind = {"Item": "item", "Health": "item", "Monster": "monster", "Self": "self"}.get(
            label.object_category, "other"
        )
        box = [label.x, label.y, label.x + label.width, label.y + label.height]
        slot[:] = [KINDS.index(kind) + 1, *np.clip(box, 0, 255)]
    return memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenario", default="health_gathering_supreme")
    for name, usual in (("--episodes", 12), ("--frames", 750), ("--seed", 100)):
        parser.add_argument(name, type=int, default=usual)
    args = parser.parse_args()
    episodes = (DoomEpisode(args.scenario, args.seed + k, args.frames) for k in range(args.episodes))
    made = record_into_store(episodes, args.out, game=VizDoom.name, kind="vizdoom")
    print(f"{made.frames:,} frames in {args.out}, hash {made.hash}")


if __name__ == "__main__":
    main()
