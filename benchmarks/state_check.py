"""Does a game's decoded state agree with the pictures? A test for new games, new recorders and wrong lags.

Nothing of the game's graphics is known in advance: how a sprite texel or a character's pixel looks is learned from some
frames and tested on others, never on the same: what is learned in step with a wrong pairing fits itself. Of a wrong
pairing little can be tested, too, since few texels look alike in all of their uses: `sprite texels told` counts that.
Sprite texels are keyed by tile, palette, flip, position and the global state, since the same palette entry shows other
colours elsewhere.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from hstmae.data.clips.clip import Clip
from hstmae.data.pairing import Pairing
from hstmae.data.sources.smb.pairing import find_pairing
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import DataError
from hstmae.games import GameSpec, GameState, get_game

BLOCK = 12  # frames in a row: every other block is for learning, the rest for testing
OPAQUE = 0.98  # a texel is opaque when one colour has at least this share of its uses
FLIP_X, FLIP_Y = GameSpec.looks.flip_x_bit, GameSpec.looks.flip_y_bit
Look = dict[tuple[int, ...], Counter[int]]


@dataclass
class StateCheck:
    """Appearance learned so far, and [agreeing, tested] counts. Looks met less than `seen` times are not tested."""

    seen: int = 30
    sprites: Look = field(default_factory=lambda: defaultdict(Counter))
    text: Look = field(default_factory=lambda: defaultdict(Counter))
    tiles: Look = field(default_factory=lambda: defaultdict(Counter))
    counts: dict[str, list[int]] = field(default_factory=dict)

    def result(self) -> dict[str, tuple[int, int]]:
        """Per kind of evidence: how many agreed, how many were tested."""
        return {name: (agree, total) for name, (agree, total) in self.counts.items()}

    def add(self, name: str, agree: int, total: int) -> None:
        self.counts.setdefault(name, [0, 0])
        self.counts[name][0] += agree
        self.counts[name][1] += total


def check_episode(
    check: StateCheck, store: EpisodeStore, episode: int, count: int, lag: int, rng: np.random.Generator, learn: bool
) -> None:
    """Learn from, or test on, `count` random frames of one episode of Super Mario Bros. footage, those of every other
    block or those of the rest.

    Args:
        lag: test the state of frame t on the picture of frame t + lag; looks are always learned in step.
    """
    game = get_game(store.game)
    lag = 0 if learn else lag
    frames = store.info(episode).frames
    rows = np.arange(1, frames - 1 - abs(lag)) + max(-lag, 0)
    rows = rows[(rows // BLOCK % 2 == 0) == learn]
    rows = np.sort(rng.choice(rows, min(count, len(rows)), False))
    if not len(rows):
        return
    told = store.read(episode, rows, ("state", "context"))
    shown = store.read(episode, rows + lag)
    assert told.state is not None
    state = game.decode(told.state, told.context)
    for k, picture in enumerate(shown.frames):
        _sprites(check, state, k, picture, learn)
        _digits(check, state, k, picture, learn)
        if not learn:
            _player(check, state, k, told.state[k])
    if not learn:
        before = store.read(episode, rows - 1, ("state",))
        earlier = store.read(episode, rows - 1 + lag)
        assert before.state is not None
        move = state.camera - game.decode(before.state, None).camera
        for k, (picture, old) in enumerate(zip(shown.frames, earlier.frames, strict=True)):
            _scroll(check, int(move[k]), picture, old)


def pairing_in_store(store: EpisodeStore, episode: int) -> Pairing:
    """Which picture the memory of an episode belongs to: lag 0 unless it was put together wrongly."""

    def memory(k: int) -> np.ndarray | None:
        state = store.read(episode, [k], ("state",)).state
        return None if state is None else state[0]

    def picture(k: int) -> np.ndarray:
        return store.read(episode, [k], ()).frames[0]

    return find_pairing(store.info(episode).frame_numbers, memory, picture)


def check_clip(check: StateCheck, clip: Clip, learn: bool, mirrored: bool = False) -> None:
    """Learn from, or test on, the frames of a clip of Super Mario Bros. footage, crops and mirrored clips included.

    Args:
        clip: with state; its origin says where in the native picture its frames lie.
        mirrored: the clip was mirrored, see data.augment: its tiles and characters are drawn mirrored.
    Raises:
        DataError: the clip has no state.
    """
    if clip.state is None:
        raise DataError(f"{clip.episode}: the clip has no state that could be checked")
    for k, picture in enumerate(clip.frames):
        _sprites(check, clip.state, k, picture, learn, clip.origin)
        _digits(check, clip.state, k, picture, learn, clip.origin, mirrored)
        _tiles(check, clip.state, k, picture, learn, clip.origin, mirrored)


def _sprites(
    check: StateCheck, state: GameState, k: int, picture: np.ndarray, learn: bool, origin: tuple[int, int] = (0, 0)
) -> None:
    height, width = get_game("smb").native_size
    claimed = np.zeros(picture.shape, bool)  # pixels of sprites further in front
    look = tuple(state.globals[k, [0, 5, 6, 7, 11]].tolist())
    agree = total = looked = 0
    for x, y, tile, attribute in state.sprites[k].tolist():
        if y >= height - 8 or y < 8 or x > width - 8 or x < 0 or attribute & 4 or tile == 0xFC:
            continue
        top, left = y - origin[0], x - origin[1]
        area = (slice(max(top, 0), max(top + 8, 0)), slice(max(left, 0), max(left + 8, 0)))
        free, colours = ~claimed[area], picture[area]
        claimed[area] = True
        if free.shape != (8, 8):  # partly outside of the crop
            continue
        if attribute & FLIP_X:  # texels are counted in the texture, so that a sprite looks alike both ways
            free, colours = free[:, ::-1], colours[:, ::-1]
        if attribute & FLIP_Y:
            free, colours = free[::-1], colours[::-1]
        for place in np.argwhere(free).tolist():
            key = (tile, attribute & ~(FLIP_X | FLIP_Y), *place, *look)
            colour = int(colours[place[0], place[1]])
            if learn:
                check.sprites[key][colour] += 1
                continue
            looked += 1
            uses = check.sprites.get(key)
            if not uses or (met := uses.total()) < check.seen:
                continue
            usual, often = uses.most_common(1)[0]
            if often >= OPAQUE * met:
                agree += usual == colour
                total += 1
    check.add("sprites", agree, total)
    check.add("sprite texels told", total, looked)


def _digits(
    check: StateCheck,
    state: GameState,
    k: int,
    picture: np.ndarray,
    learn: bool,
    origin: tuple[int, int] = (0, 0),
    mirrored: bool = False,
) -> None:
    """Characters of the status bar by their 8x8 pictures: a digit must look as that digit mostly did."""
    row, ids = 3, state.tiles[1][k, 3]
    agree = total = 0
    for column in np.flatnonzero((ids >= 1) & (ids <= 10)).tolist():
        cell = _cell(picture, 8 * row - origin[0], 8 * column - origin[1], 8, mirrored)
        if cell is None:
            continue
        bitmap = hash((cell != cell[7, 0]).tobytes())  # digits leave their last row blank
        if learn:
            check.text[(int(ids[column]),)][bitmap] += 1
        elif (uses := check.text.get((int(ids[column]),))) and uses.total() >= check.seen:
            agree += uses.most_common(1)[0][0] == bitmap
            total += 1
    check.add("hud digits", agree, total)


def _tiles(
    check: StateCheck,
    state: GameState,
    k: int,
    picture: np.ndarray,
    learn: bool,
    origin: tuple[int, int],
    mirrored: bool,
) -> None:
    """Known tiles of the scene that no sprite covers: a tile must look as that tile mostly did in this scenery."""
    layer, (left, top) = get_game("smb").tile_layers[0], state.tile_xy[0][k].tolist()
    look = tuple(state.globals[k, [0, 5, 6, 7, 11]].tolist())
    covered = np.zeros(picture.shape, bool)
    for x, y in state.sprites[k, :, :2].tolist():
        row, col = y - origin[0], x - origin[1]
        covered[max(row, 0) : max(row + 8, 0), max(col, 0) : max(col + 8, 0)] = True
    agree = total = 0
    for row, col in np.argwhere((state.tiles[0][k] > 0) & (state.tiles[0][k] < layer.ids - 1)).tolist():
        y, x = top + row * layer.cell - origin[0], left + col * layer.cell - origin[1]
        cell = _cell(picture, y, x, layer.cell, mirrored)
        if cell is None or covered[y : y + layer.cell, x : x + layer.cell].any():
            continue
        key, bitmap = (int(state.tiles[0][k, row, col]), *look), hash(cell.tobytes())
        if learn:
            check.tiles[key][bitmap] += 1
        elif (uses := check.tiles.get(key)) and uses.total() >= check.seen:
            usual, often = uses.most_common(1)[0]
            if often >= OPAQUE * uses.total():  # tiles that change by themselves prove nothing
                agree += usual == bitmap
                total += 1
    check.add("tiles", agree, total)


def _cell(picture: np.ndarray, y: int, x: int, size: int, mirrored: bool) -> np.ndarray | None:
    """The square at (y, x) as its texture is, None where it leaves the picture."""
    if not (0 <= y <= picture.shape[0] - size and 0 <= x <= picture.shape[1] - size):
        return None
    cell = picture[y : y + size, x : x + size]
    return cell[:, ::-1] if mirrored else cell


def _player(check: StateCheck, state: GameState, k: int, ram: np.ndarray) -> None:
    """The player's own sprites (eight from OAM offset 0x6E4) lie in the box made from its coordinates."""
    region, x0, y0, x1, y1 = state.boxes[k, -1].tolist()
    first = int(ram[0x6E4]) // 4
    parts = state.sprites[k, first : first + 8]
    parts = parts[(parts[:, 1] < 240) & (parts[:, 2] != 0xFC)]
    if not region or not len(parts) or ram[0x0E] != 8 or ram[0x79E]:  # 8: under the player's control
        return
    inside = (parts[:, 0] >= x0) & (parts[:, 0] + 8 <= x1) & (parts[:, 1] >= y0) & (parts[:, 1] + 8 <= y1)
    check.add("player box", int(inside.sum()), len(parts))


def _scroll(check: StateCheck, move: int, picture: np.ndarray, old: np.ndarray) -> None:
    """The playfield moved by the camera's change: that shift explains more pixels than any other up to 8."""
    if not 0 <= move <= 8:
        return
    now, then = picture[32:], old[32:]
    fit = [np.mean(now[:, 8 : 248 - s] == then[:, 8 + s : 248]) for s in range(9)]
    best = int(np.argmax(fit))
    if np.sort(fit)[-1] - np.sort(fit)[-2] > 0.01:  # a picture that looks alike at two shifts proves nothing
        check.add("scroll", best == move, 1)
