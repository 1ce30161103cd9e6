"""Looks of moving objects: counted in front of one background, drawn in front of another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hstmae.atlas.learning.object_counts import ObjectCounter
from hstmae.atlas.objects import ObjectLooks
from hstmae.atlas.tiles import TileLooks
from hstmae.games import GameState, get_game
from hstmae.games.boxes import glowing, objects, sprites
from hstmae.games.pixels import View
from hstmae.games.state import ObjectBoxes

GAME = get_game("smb")
H, W = GAME.native_size


def scene(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, GameState]:
    """A random background in colours 0 to 9, one enemy of kind 6 in colours 10 to 20, with holes; -> also the state."""
    rng = np.random.default_rng(seed)
    behind = rng.integers(0, 10, (count, H, W), np.uint8)
    memory = np.zeros((count, GAME.state_size), np.uint8)
    memory[:, 0x0F], memory[:, 0x16], memory[:, 0xB6] = 1, 6, 1
    memory[:, 0x87], memory[:, 0xCF] = rng.integers(1, W - 18, count), rng.integers(40, H - 30, count)
    state = GAME.decode(memory, None)
    picture = np.random.default_rng(99).integers(10, 20, (27, 18), np.uint8)
    picture[:8] = 255  # nothing there
    frames = behind.copy()
    for t in range(count):
        x0, y0, x1, y1 = GAME.drawn_objects(state).boxes[t, 0].tolist()
        part = frames[t, y0:y1, x0:x1]
        part[:] = np.where(picture == 255, part, picture)
    return frames, behind, state


def learned(count: int = 12) -> ObjectLooks:
    counter = ObjectCounter(GAME)
    frames, behind, state = scene(0, count)
    counter.add(frames, objects(state, GAME), behind, np.ones(frames.shape, bool), np.zeros(count, np.uint8))
    return counter.result()


def test_objects_are_drawn_in_front_of_what_is_behind() -> None:
    looks = learned()
    assert len(looks.keys) == 1 and looks.fits()
    frames, behind, state = scene(1, 5)
    entries, trust, mean = looks.paint(objects(state, GAME), behind, np.ones(frames.shape, bool), GAME.palette)
    assert np.array_equal(entries, frames)
    x0, y0, x1, y1 = GAME.drawn_objects(state).boxes[2, 0]
    inside = np.zeros((H, W), bool)
    inside[y0:y1, x0:x1] = True
    assert (trust[2][inside] > 0.9).all() and not trust[2][~inside].any()
    assert np.abs(mean[2][inside].astype(int) - GAME.palette[frames[2][inside]]).max() <= 1
    crop = looks.paint(
        objects(state, GAME), behind[:, 30:200, 20:220], np.ones((5, 170, 200), bool), GAME.palette, (30, 20)
    )
    assert np.array_equal(crop[0], frames[:, 30:200, 20:220])


def test_what_is_not_known_is_not_drawn() -> None:
    looks = learned()
    frames, behind, state = scene(1, 3)
    ones = np.ones(frames.shape, bool)
    trust = looks.paint(objects(state, GAME), behind, ~ones, GAME.palette)[1]
    assert trust.any() and not trust[frames == behind].any()  # who knows what is behind the holes?
    state.tokens[0, 2, 4] = 1 - state.tokens[0, 2, 4]  # another kind of enemy
    trust = looks.paint(objects(state, GAME), behind, ones, GAME.palette)[1]
    assert not trust[0].any() and trust[1].any()
    assert not len(learned(2).keys)  # two sights are too few
    assert not ObjectLooks().paint(objects(state, GAME), behind, ones, GAME.palette)[1].any()


def test_the_nearer_of_two_objects_is_drawn_last() -> None:
    looks = learned()
    frames, behind, state = scene(1, 3)
    for values in (state.tokens, state.token_xy, state.token_valid):
        values[:, 3] = values[:, 2]  # the second slot holds the same enemy ...
    state.token_xy[:, 3, 0] += 5  # ... five pixels to the right
    entries, _, _ = looks.paint(objects(state, GAME), behind, np.ones(frames.shape, bool), GAME.palette)
    x0, y0, x1, y1 = GAME.drawn_objects(state).boxes[1, 0]
    picture = frames[1, y0 + 8 : y1, x0:x1]
    assert x1 + 5 > W or np.array_equal(entries[1, y0 + 8 : y1, x0 + 5 : x1 + 5], picture)
    assert np.array_equal(entries[1, y0 + 8 : y1, x0 : x0 + 5], picture[:, :5])


def test_many_sights_are_counted_whole() -> None:
    """Shares are of 255, and 255 times the sights exceeds what 16 bits hold."""
    looks = learned(400)
    assert looks.seen[0] > 257
    assert (looks.clear[0][:8] == 255).all() and not looks.clear[0][8:27, :18].any()


def sprite_scene(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, GameState]:
    """A background in colours 0 to 9 and one sprite of tile 7, half of it transparent; -> also the state."""
    rng = np.random.default_rng(seed)
    behind = rng.integers(0, 10, (count, H, W), np.uint8)
    memory = np.zeros((count, GAME.state_size), np.uint8)
    memory[:, 0x200:0x300:4] = 0xF8  # hidden
    memory[:, 0x200], memory[:, 0x203] = rng.integers(40, H - 10, count), rng.integers(0, W - 8, count)
    memory[:, 0x201] = 7
    state, frames = GAME.decode(memory, None), behind.copy()
    for t in range(count):
        x, y = state.sprites[t, 0, :2].astype(int)
        frames[t, y : y + 8, x : x + 4] = np.arange(10, 42).reshape(8, 4)
    return frames, behind, state


def counted_sprites(count: int) -> tuple[Any, ...]:
    counter, (frames, behind, state) = ObjectCounter(GAME), sprite_scene(0, count)
    ones, backdrop = np.ones(frames.shape, bool), np.zeros(count, np.uint8)
    counter.add(frames, sprites(state, GAME), behind, ones, backdrop)
    return frames, behind, state, ones, backdrop, counter.result()


def test_sprites_are_drawn_where_they_are_told_and_behind_only_over_the_backdrop() -> None:
    _, _, _, ones, backdrop, looks = counted_sprites(80)
    frames, behind, state = sprite_scene(1, 6)
    ones, backdrop = ones[:6], backdrop[:6]
    entries, trust, _ = looks.paint(sprites(state, GAME), behind, ones, GAME.palette, backdrop=backdrop)
    assert np.array_equal(entries, frames) and (trust > 0).sum() == 6 * 64 and trust[trust > 0].min() > 0.98
    state.sprites[:, 0, 3] |= GAME.looks.behind_bits
    entries, trust, _ = looks.paint(sprites(state, GAME), behind, ones, GAME.palette, backdrop=backdrop)
    assert np.array_equal(entries, np.where(behind == 0, frames, behind)) and (trust > 0).sum() == 6 * 64
    assert not looks.paint(sprites(state, GAME), behind, ones, GAME.palette)[1].any()  # no backdrop, no answer
    front = (behind == 0) & (np.arange(W) >= W // 2)
    entries, _, _ = looks.paint(sprites(state, GAME), behind, ones, GAME.palette, backdrop=backdrop, solid=front)
    assert np.array_equal(entries, np.where((behind == 0) & ~front, frames, behind))
    assert not looks.paint(sprites(state, GAME), behind, ones, GAME.palette, backdrop=np.full(6, -1, np.int16))[1].any()


def test_few_sights_are_enough_of_what_looks_the_same_each_time() -> None:
    frames, behind, state, ones, backdrop, looks = counted_sprites(3)
    seen = sprites(state, GAME)
    assert seen is not None
    assert looks.paint(seen, behind, ones, GAME.palette)[1].max() < 0.8  # 3 of 4
    entries, trust, _ = looks.paint(seen, behind, ones, GAME.palette, means=False)
    assert np.array_equal(entries, frames) and trust[trust > 0].min() > 0.98
    x, y = state.sprites[1, 0, :2].astype(int)
    mirrored = replace(seen, keys=seen.keys.copy())
    mirrored.keys[..., 1] ^= GAME.looks.flip_x_bit
    assert not looks.paint(mirrored, behind, ones, GAME.palette, means=False)[1].any()
    flips = (GAME.looks.flip_x_bit, GAME.looks.flip_y_bit)
    entries, trust, _ = looks.paint(mirrored, behind, ones, GAME.palette, means=False, flips=flips)
    assert np.array_equal(entries[1, y : y + 8, x + 4 : x + 8], frames[1, y : y + 8, x : x + 4][:, ::-1])
    assert np.array_equal(entries[1, y : y + 8, x : x + 4], behind[1, y : y + 8, x : x + 4])
    strange = replace(seen, keys=seen.keys + 1, behind=np.ones(seen.used.shape, bool))
    _, trust, _ = looks.paint(strange, behind, ones, GAME.palette, backdrop=backdrop.astype(np.int16), means=False)
    part = trust[1, y : y + 8, x : x + 8]  # whatever it looks like, it shows over the backdrop alone
    assert np.array_equal(part > 0, behind[1, y : y + 8, x : x + 8] != 0)


def test_at_another_time_objects_look_as_they_mostly_do_and_nobody_is_sure() -> None:
    looks = learned()
    frames, behind, state = scene(1, 3)
    seen = objects(state, GAME)
    assert seen is not None
    other = replace(seen, keys=seen.keys.copy())
    other.keys[..., 2] += 5  # a phase that was never seen
    ones = np.ones(frames.shape, bool)
    known, strange = (looks.paint(some, behind, ones, GAME.palette) for some in (seen, other))
    assert np.array_equal(strange[2], known[2]) and strange[1].any() and strange[1].max() < 0.5
    assert not looks.paint(other, behind, ones, GAME.palette, means=False)[1].any()
    other.keys[..., 1] += 1  # another state of the same kind
    assert not looks.paint(other, behind, ones, GAME.palette)[1].any()


def test_what_lies_before_a_sprite_is_not_covered_by_it() -> None:
    frames, _, state = sprite_scene(1, 3)
    in_front, behind = View.whole(frames, GAME, state), state.map(lambda a: a)
    x, y = state.sprites[1, 0, :2].astype(int)
    assert np.array_equal(in_front.in_front, in_front.moving) and in_front.moving[1, y, x]
    behind.sprites = state.sprites.copy()
    behind.sprites[:, 0, 3] |= GAME.looks.behind_bits
    seen = View.whole(frames, GAME, behind)
    assert seen.moving[1, y, x] and not seen.in_front.any()


def test_columns_that_are_cut_show_what_is_behind() -> None:
    looks = learned()
    frames, behind, state = scene(1, 3)
    seen = objects(state, GAME)
    assert seen is not None
    x0, y0, x1, y1 = seen.boxes[1, 0]
    less = replace(seen, cut=np.where(seen.used, 9, 0))
    whole, _, _ = looks.paint(seen, behind, np.ones(frames.shape, bool), GAME.palette)
    entries, trust, _ = looks.paint(less, behind, np.ones(frames.shape, bool), GAME.palette)
    here = (1, slice(y0, y1), slice(max(x0, 0), x1))
    picture = np.where(np.arange(max(x0, 0), x1) < x0 + 9, behind[here], whole[here])
    assert np.array_equal(entries[here], picture) and not np.array_equal(whole[here], picture) and trust[here].all()


def test_a_black_outline_at_night_is_no_backdrop() -> None:
    tile, day, night = 0x10, 34, 15
    pictures = np.array([[[day]], [[day]], [[night]], [[night]]], np.uint8).repeat(16, 1).repeat(16, 2)
    pictures[1::2, 4] = 15  # an outline; at night all of the tile is black
    keys = np.array([[1, 0, 0, sky, number] for sky in (0, 4) for number in (0, tile)], np.int32)
    looks = TileLooks(keys, pictures, np.ones_like(pictures))
    memory = np.zeros((1, GAME.state_size), np.uint8)
    memory[:, 0x74E], memory[:, 0x744], memory[:, 0x500 + 3 * 16 + 5] = 1, 4, tile
    state = GAME.decode(memory, None)
    solid = looks.solid(View.whole(np.zeros((1, H, W), np.uint8), GAME, state))
    assert solid.sum() == 16 and solid[0, 32 + 3 * 16 + 4, 80:96].all()


def test_each_palette_of_the_sprites_follows_its_own_numbers() -> None:
    memory = np.zeros((4, GAME.state_size), np.uint8)
    memory[:, 0x201], memory[:, 0x205], memory[:, 0x206] = 7, 7, 2  # the player's palette, and one of the map's
    memory[:, 0x756], memory[:, 0x74E] = [0, 2, 0, 0], [1, 1, 3, 1]
    memory[3, 0x75F] = 5  # the world, which says nothing of palettes
    seen = sprites(GAME.decode(memory, None), GAME)
    assert seen is not None
    yours, theirs = seen.keys[:, -1], seen.keys[:, -2]  # the foremost sprite comes last
    same = [[(keys[t] == keys[0]).all() for t in range(4)] for keys in (yours, theirs)]
    assert same == [[True, False, True, True], [True, True, False, True]]


def test_sprites_that_the_console_leaves_out_are_not_drawn() -> None:
    _, behind, state = sprite_scene(0, 1)
    state.sprites[0, :9, 0], state.sprites[0, :9, 1], state.sprites[0, :9, 2] = np.arange(9) * 20, 100, 7
    state.sprites[0, 8, 1] = 103  # the ninth on the lines 103 to 107, alone on the other three
    seen = sprites(state, GAME)
    assert seen is not None and seen.lines is not None
    assert seen.lines[0, -8:].all() and seen.lines[0, -9].tolist() == [False] * 5 + [True] * 3
    counter = ObjectCounter(GAME)
    frames, under, told = sprite_scene(0, 80)
    counter.add(frames, sprites(told, GAME), under, np.ones(frames.shape, bool), np.zeros(80, np.uint8))
    entries, trust, _ = counter.result().paint(seen, behind, np.ones(behind.shape, bool), GAME.palette)
    ninth = entries[0, 103:111, 160:164]
    assert np.array_equal(ninth[:5], behind[0, 103:108, 160:164])
    assert np.array_equal(ninth[5:], np.arange(10, 42).reshape(8, 4)[5:])
    assert (trust[0, 103:111, 160:168] > 0.98).all()


def test_a_colour_that_is_also_behind_is_no_hole() -> None:
    """A sprite of colours 10 to 41 that half of the time stands before its own colours."""
    counter = ObjectCounter(GAME)
    frames, behind, state = sprite_scene(0, 80)
    behind[::2] = frames[::2]
    counter.add(frames, sprites(state, GAME), behind, np.ones(frames.shape, bool), np.zeros(80, np.uint8))
    frames, behind, state = sprite_scene(1, 6)
    looks, known = counter.result(), np.ones(frames.shape, bool)
    entries, trust, _ = looks.paint(sprites(state, GAME), behind, known, GAME.palette)
    assert np.array_equal(entries, frames) and trust[trust > 0].min() > 0.98
    _, trust, _ = looks.paint(sprites(state, GAME), behind, ~known, GAME.palette)
    assert (trust > 0.98).sum() == 6 * 32  # what is opaque needs no background


def test_glowing_tiles_are_found_with_their_phase() -> None:
    memory = np.zeros((9, GAME.state_size), np.uint8)
    memory[:, 0x500 + 3 * 16 + 5] = 0xC2  # a coin in row 3, column 5
    memory[:, 0x6D4] = [2] * 8 + [3]
    memory[0, 0x300:0x304], memory[0, 0x773] = [7, 0x3F, 0x0C, 4], 6  # the second step waits
    state = GAME.decode(memory, None)
    seen = glowing(state, GAME)
    assert seen is not None
    coins = seen.used & (seen.keys[..., 0] == 0)
    assert coins.sum() == 9 and seen.boxes[coins].tolist() == [[80, 80, 96, 96]] * 9
    assert seen.keys[coins][:, 1:3].tolist() == [[0xC2, phase] for phase in (1, 2, 2, 2, 2, 2, 2, 2, 3)]
    assert (seen.used & (seen.keys[..., 0] == 1)).sum() == 9  # the coin beside their number


def boxes(*places: tuple[int, int, int]) -> ObjectBoxes:
    """Objects of 4x4 pixels: key, x, y; later ones in front."""
    made = np.array([[[x, y, x + 4, y + 4] for _, x, y in places]], np.int32)
    return ObjectBoxes(np.array([[[key] for key, _, _ in places]], np.int32), made, np.ones((1, len(places)), bool))


def two_looks(clear: int) -> ObjectLooks:
    """Object 1 in colour 12, seen through to a share of `clear` / 255."""
    blank = np.zeros((1, 4, 4), np.uint8)
    return ObjectLooks(
        np.array([[1]], np.int32), np.array([[4, 4]], np.uint8), np.array([99], np.int32), blank + clear, blank + 12,
        blank + (255 - clear), np.full((1, 4, 4, 3), 200, np.uint8),
    )  # fmt: skip


def test_what_an_unknown_object_covers_is_not_known() -> None:
    behind = np.zeros((1, 16, 16), np.uint8)
    known = np.ones(behind.shape, bool)
    entries, trust, _ = two_looks(0).paint(boxes((1, 2, 2), (9, 4, 2)), behind, known, GAME.palette)
    assert (entries[0, 2:6, 2:4] == 12).all() and (trust[0, 2:6, 2:4] > 0.9).all()
    assert not trust[0, 2:6, 4:8].any()  # the object in front has no known look


def test_what_shows_through_must_be_known_unless_it_hardly_ever_does() -> None:
    behind, unknown = np.zeros((1, 16, 16), np.uint8), np.zeros((1, 16, 16), bool)
    for clear, trusted in ((0, True), (20, True), (60, False)):
        _, trust, _ = two_looks(clear).paint(boxes((1, 2, 2)), behind, unknown, GAME.palette)
        assert (trust[0, 2:6, 2:6] > 0.5).all() == trusted and trust.any() == trusted
        assert two_looks(clear).paint(boxes((1, 2, 2)), behind, ~unknown, GAME.palette)[1].any()


def test_no_objects_leave_all_unknown() -> None:
    behind = np.zeros((1, 16, 16), np.uint8)
    entries, trust, mean = two_looks(0).paint(None, behind, np.ones(behind.shape, bool), GAME.palette)
    assert not entries.any() and not trust.any() and mean.shape == (1, 16, 16, 3)
