"""The rules by which `known_pixels` believes an atlas, one test each, with an atlas that says what the test wants."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hstmae.atlas import known_pixels as door
from hstmae.atlas.between import Likely
from hstmae.atlas.evidence import ENOUGH, NEARBY, SURE
from hstmae.atlas.known_pixels import MAYBE, OBJECT, STATUS_BAR, known_pixels
from hstmae.atlas.maps import Located
from hstmae.atlas.recall import TRUST
from hstmae.games import GameState, get_game
from hstmae.games.pixels import View

GAME = get_game("smb")
H, W = GAME.native_size
SHAPE, SCENERY = (1, 16, 160), (64, 32)  # a strip below the status bar, and where it lies
NOTHING = (0, 0.0)

Said = tuple[Any, Any]  # colour and trust, of all pixels or of each


def arrays(said: Said, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    colours, trust = (np.broadcast_to(np.asarray(a), shape) for a in said)
    return colours.astype(np.uint8), trust.astype(np.float32)


class Atlas:
    """Says of a clip what it is told to say; `calls` names who was asked."""

    def __init__(self, **said: Said) -> None:
        self.said = {name: NOTHING for name in ("maps", "tiles", "text", "glow", "sprites", "objects", "mean")} | said
        self.glow, self.sprites, self.objects = (self.painter(name) for name in ("glow", "sprites", "objects"))
        self.looks = SimpleNamespace(solid=lambda view: np.zeros(view.shape, bool))
        self.maps: dict[int, object] = {}
        self.mean_of: list[int] = []
        self.elsewhere: Said | None = None  # what the maps show at the place that is found

    def painter(self, name: str) -> Any:
        def paint(
            _: object, behind: np.ndarray, *rest: object, means: bool = True, **more: object
        ) -> tuple[np.ndarray, ...]:
            colours, trust = arrays(self.said[name], behind.shape)
            colours = np.where(trust > 0, colours, behind)
            return colours, trust, GAME.palette[colours]

        return SimpleNamespace(paint=paint)

    def look_up(self, place: Located, view: View, tile_ids: object = None) -> tuple[np.ndarray, np.ndarray]:
        found = self.elsewhere is not None and (place.camera == 777).all()
        return arrays(self.elsewhere if found and self.elsewhere else self.said["maps"], view.shape)

    def paint_tiles(self, ids: np.ndarray, view: View, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
        colours, trust = arrays(self.said["text" if number else "tiles"], view.shape)
        return colours, np.where(ids >= 0, trust, 0) if number else trust

    def backdrop(self, scene: np.ndarray) -> np.ndarray:
        return np.full(len(scene), -1)

    def mean_of_fixed(self, place: Located, view: View) -> tuple[np.ndarray, np.ndarray]:
        self.mean_of = place.scene.tolist()
        colours, trust = arrays(self.said["mean"], view.shape)
        return GAME.palette[colours].copy(), trust > 0


class Finder:
    """Stands in for the Locator."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas, self.asked = atlas, 0

    def locate(self, view: View) -> Located:
        self.asked += 1
        return Located(np.full(len(view.frames), 7), np.full(len(view.frames), 777))

    def likely(self, view: View) -> list[Likely]:
        return [Likely(self.locate(view), np.ones(len(view.frames), np.float32))]


def state(frames: int = 1) -> GameState:
    made = GAME.decode(np.zeros((frames, GAME.state_size), np.uint8), None)
    made.sprites[..., 1] = H  # none is shown
    made.boxes[:] = 0
    return made


def strip(level: str, *, masked: Any = True, picture: int = 9, shape: tuple[int, int, int] = SHAPE,
          origin: tuple[int, int] = SCENERY, given: GameState | None = None) -> View:  # fmt: skip
    mask = np.broadcast_to(np.asarray(masked), shape).copy()
    frames = np.where(mask, np.uint8(0), np.full(shape, picture, np.uint8))
    some = None if level == "none" else (given or state(shape[0]))
    return View(frames, mask, GAME, some, level, origin)


@pytest.fixture(autouse=True)
def no_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "complete", lambda view, atlas: arrays(NOTHING, view.shape))


def ask(view: View, **said: Said) -> tuple[np.ndarray, np.ndarray]:
    """Colours and trust of the first frame's first row."""
    known = known_pixels(view, Finder(Atlas(**said)))  # type: ignore[arg-type]
    return known.indices[0, 0], known.trust[0, 0]


@pytest.mark.parametrize("level", ["full", "compact", "none"])
def test_what_the_maps_are_sure_of_is_known(level: str) -> None:
    colours, trust = ask(strip(level), maps=(5, 0.99))
    assert (colours == 5).all() and np.allclose(trust, 0.99)
    assert not ask(strip(level, masked=False, picture=5), maps=(5, 0.99))[1].any()  # visible pixels need nothing


def test_less_than_maybe_is_nothing_and_a_hint_is_kept_at_compact() -> None:
    assert np.allclose(ask(strip("compact"), maps=(5, MAYBE + 0.01))[1], MAYBE + 0.01)
    assert not ask(strip("compact"), maps=(5, MAYBE))[1].any()


def test_at_full_only_sure_maps_and_tiles_count() -> None:
    assert not ask(strip("full"), maps=(5, SURE - 0.01), tiles=(6, SURE - 0.01))[1].any()
    colours, trust = ask(strip("full"), maps=(5, 0.985), tiles=(6, 0.99))
    assert (colours == 6).all() and np.allclose(trust, 0.99)
    assert (ask(strip("full"), maps=(5, 0.995), tiles=(6, 0.99))[0] == 6).all()  # a tile that is told comes first


def test_guesses_about_new_maps_are_hints_above_one_half(monkeypatch: pytest.MonkeyPatch) -> None:
    for trust, kept in ((0.6, 0.6), (0.5, 0.0)):
        monkeypatch.setattr(door, "complete", lambda view, atlas, t=trust: arrays((8, t), view.shape))
        assert np.allclose(ask(strip("full"))[1], kept)


def test_a_status_bar_is_no_scenery_but_its_text_is_told() -> None:
    bar = strip("full", origin=(0, 0))
    assert not ask(bar, maps=(5, 0.99), tiles=(5, 0.99))[1].any()
    told = state()
    told.tiles[1][:] = 3
    colours, trust = ask(replace(bar, state=told), text=(4, 0.99))
    assert (colours == 4).any() and trust[colours == 4].min() > SURE
    assert not ask(replace(bar, state=told), text=(4, 0.9))[1].any()  # at full only what is sure


def test_compact_tells_some_of_the_text_alone() -> None:
    told = state()
    told.tiles[1][:] = 3
    rows = sorted({row for row, _ in GAME.looks.compact_text})
    bar = View(np.zeros((1, 32, W), np.uint8), np.ones((1, 32, W), bool), GAME, told, "compact")
    known = known_pixels(bar, Finder(Atlas(text=(4, 0.9))))  # type: ignore[arg-type]
    cells = (known.trust[0] > 0).reshape(4, 8, 32, 8).all((1, 3))
    expected = np.zeros((4, 32), bool)
    for row, column in GAME.looks.compact_text:
        expected[row, column] = True
    assert rows and np.array_equal(cells, expected)


def test_glowing_tiles_have_the_last_word_where_they_are_sure() -> None:
    assert (ask(strip("full"), maps=(5, 0.99), glow=(7, 0.985))[0] == 7).all()
    assert (ask(strip("full"), maps=(5, 0.99), glow=(7, 0.97))[0] == 5).all()


def moving(view: View, x0: int, x1: int) -> View:
    """A row of sprites from column x0 to x1 of the strip."""
    for n, x in enumerate(range(x0, x1, GAME.sprite_size)):
        view.needed_state().sprites[0, n, :2] = x + SCENERY[1], SCENERY[0]
    return view


def test_where_something_moves_only_sprites_are_believed() -> None:
    colours, trust = ask(moving(strip("full"), 0, 16), maps=(5, 0.99), sprites=(3, 0.985))
    assert (colours[:16] == 3).all() and np.allclose(trust[:16], 0.985)
    assert (colours[16:] == 5).all()  # sprites are drawn there alone
    assert not ask(moving(strip("full"), 0, 16), maps=(5, 0.99), sprites=(3, 0.97))[1][:16].any()
    assert not ask(moving(strip("full"), 0, 16), maps=(5, 0.99))[1][:16].any()


def test_sprites_that_visible_pixels_contradict_are_not_believed() -> None:
    masked = np.ones(SHAPE, bool)
    masked[:, 8:] = False  # the lower half is visible, in colour 9
    view = moving(strip("full", masked=masked), 0, 16)
    view.needed_state().sprites[0, 0:2, 1] = SCENERY[0] + 2  # half of each sprite is seen
    colours, trust = (a[0] for a in door_arrays(view, maps=(9, 0.99), sprites=(3, 0.99)))
    assert not trust[2:8, :16].any()
    colours, trust = (a[0] for a in door_arrays(view, maps=(9, 0.99), sprites=(9, 0.99)))
    assert (trust[2:8, :16] > SURE).all() and (colours[2:8, :16] == 9).all()


def door_arrays(view: View, **said: Said) -> tuple[np.ndarray, np.ndarray]:
    known = known_pixels(view, Finder(Atlas(**said)))  # type: ignore[arg-type]
    return known.indices, known.trust


@pytest.mark.parametrize("level", ["full", "none"])
def test_what_is_visible_must_bear_the_atlas_out_nearby(level: str) -> None:
    masked = np.ones(SHAPE, bool)
    masked[:, :, :20] = masked[:, :, 140:] = False
    view = strip(level, masked=masked, picture=5)
    view.frames[:, :, 140:] = 6  # there the atlas is wrong
    _, trust = ask(view, maps=(5, 0.99))
    assert (trust[20:46] > SURE).all() and not trust[140 - NEARBY + 10 : 140].any()
    few = np.ones(SHAPE, bool)
    few[:, 0, : ENOUGH // 2] = False  # fewer than enough, far from most: they speak for the whole frame
    assert not ask(strip(level, masked=few, picture=6), maps=(5, 0.99))[1].any()
    assert ask(strip(level, masked=few, picture=5), maps=(5, 0.99))[1][-1] > SURE


@pytest.mark.parametrize(("level", "most"), [("full", 1), ("none", 4)])
def test_some_of_the_visible_pixels_may_differ(level: str, most: int) -> None:
    """A tenth, and where nothing tells of what stands before the scenery three tenths."""
    masked = np.ones(SHAPE, bool)
    masked[:, :, :40] = False
    for rows, believed in ((most, True), (most + 1, False)):  # of 16
        view = strip(level, masked=masked, picture=5)
        view.frames[:, :rows, :40] = 6
        assert (ask(view, maps=(5, 0.99))[1][60] > SURE) == believed


def test_at_compact_a_contradicted_place_is_looked_for() -> None:
    masked = np.ones(SHAPE, bool)
    masked[:, :, :80] = False
    view, atlas = strip("compact", masked=masked, picture=6), Atlas(maps=(5, 0.99))
    atlas.elsewhere = (6, 0.99)
    finder = Finder(atlas)
    known = known_pixels(view, finder)  # type: ignore[arg-type]
    assert finder.asked == 1 and (known.indices[0, :, 80:] == 6).all() and known.found[0, :, 80:].all()
    assert atlas.mean_of == [7]  # the map that was found
    agreeing = Finder(Atlas(maps=(6, 0.99)))
    known_pixels(view, agreeing)  # type: ignore[arg-type]
    assert agreeing.asked == 0
    no_better = Atlas(maps=(5, 0.99))
    no_better.elsewhere = (4, 0.99)
    known_pixels(view, Finder(no_better))  # type: ignore[arg-type]
    assert no_better.mean_of == view.needed_state().scene.tolist()  # it stays at the map that the state tells


def test_at_compact_other_pages_are_tried_before_the_whole_atlas(monkeypatch: pytest.MonkeyPatch) -> None:
    masked = np.ones(SHAPE, bool)
    masked[:, :, :80] = False
    monkeypatch.setattr(door, "other_pages", lambda view, place, atlas, sure: arrays((6, 0.99), view.shape))
    finder = Finder(Atlas(maps=(5, 0.99)))
    known = known_pixels(strip("compact", masked=masked, picture=6), finder)  # type: ignore[arg-type]
    assert finder.asked == 0 and (known.indices[0, :, 80:] == 6).all()


def boxed(level: str = "compact") -> View:
    given = state()
    given.tokens[:] = 0
    view = strip(level, given=given)
    view.__dict__["moving"] = np.broadcast_to(np.arange(SHAPE[2]) < 16, SHAPE)  # an object in the first columns
    return view


def test_at_compact_objects_have_their_share_and_hide_what_is_behind() -> None:
    known = known_pixels(boxed(), Finder(Atlas(maps=(5, 0.99))))  # type: ignore[arg-type]
    assert not known.trust[0, 0, :16].any() and known.found[0, 0, 16:].all()
    seen = np.where(np.arange(SHAPE[2]) < 16, 0.7, 0)
    known = known_pixels(boxed(), Finder(Atlas(maps=(5, 0.99), objects=(3, seen))))  # type: ignore[arg-type]
    assert known.share is not None and known.mean is not None
    assert (known.share[0, 0, :16] == OBJECT).all() and not known.share[0, 0, 16:].any()
    assert (known.mean[0, 0, :16] == GAME.palette[3]).all() and (known.indices[0, 0, :16] == 3).all()
    assert np.allclose(known.trust[0, 0, :16], 0.7) and known.hint[0, 0, :16].all() and not known.hint[0, 0, 16:].any()


def test_what_status_bars_mostly_look_like_has_its_share() -> None:
    bar = strip("compact", origin=(0, 0))
    known = known_pixels(bar, Finder(Atlas(maps=(5, 0.4), mean=(8, 1))))  # type: ignore[arg-type]
    assert known.share is not None and known.mean is not None
    assert (known.share[0, 0] == STATUS_BAR).all() and (known.mean[0, 0] == GAME.palette[8]).all()
    assert np.allclose(known.trust[0, 0], 0.4) and not known.found.any()
    unknown = known_pixels(bar, Finder(Atlas(mean=(8, 1))))  # type: ignore[arg-type]
    assert unknown.share is not None and (unknown.share[0, 0] == STATUS_BAR).all()
    assert np.allclose(unknown.trust[0, 0], 0.01)  # hardly anything is known of the single pixel
    sure = known_pixels(bar, Finder(Atlas(maps=(5, 0.99), mean=(8, 1))))  # type: ignore[arg-type]
    assert sure.share is not None and not sure.share.any() and sure.found.all()


def test_another_frame_is_believed_before_the_atlas() -> None:
    shape = (2, 16, 160)
    masked = np.zeros(shape, bool)
    masked[1] = True
    known = known_pixels(strip("full", masked=masked, shape=shape), Finder(Atlas(maps=(9, 0.99))))  # type: ignore[arg-type]
    assert (known.indices[1] == 9).all() and (known.trust[1] == np.float32(TRUST)).all()
    other = strip("full", masked=masked, picture=8, shape=shape)
    assert (known_pixels(other, Finder(Atlas(maps=(8, 0.99)))).indices[1] == 8).all()  # type: ignore[arg-type]
    assert (known_pixels(other).trust[1] == np.float32(TRUST)).all()  # without any atlas, too
    assert not known_pixels(strip("full")).trust.any()  # one frame alone shows no other


def test_games_without_text_are_asked_for_none() -> None:
    class Plain(type(GAME)):  # type: ignore[misc]
        tile_layers = GAME.tile_layers[:1]

    view = replace(strip("full"), game=Plain())
    assert (known_pixels(view, Finder(Atlas(maps=(5, 0.99), text=(4, 0.99)))).indices == 5).all()  # type: ignore[arg-type]
