"""Programmes: what is drawn, what they do to states, buttons and pictures, what breaks, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hstmae.atomic import write_text
from hstmae.bundled import find
from hstmae.cli import main
from hstmae.codec.session.reader import HstReader
from hstmae.data.episode import Episode
from hstmae.errors import ConfigError, DataError
from hstmae.games import get_game
from hstmae.games.editing import Place
from hstmae.games.nes.memory import PATTERNS, RUNS, SIZE, SPRITES, TABLES, Run, pack_runs
from hstmae.games.nes.picture import PictureUnit
from hstmae.scenarios import (
    Others,
    Programme,
    Scene,
    from_options,
    make_clips,
    read_programme,
    read_scenarios,
    write_clips,
)  # fmt: skip
from hstmae.scenarios.splicing import CannotBeDone
from hstmae.scenarios.values import At

NOBODY = Others({}, lambda name: np.zeros((0, 0), np.uint8), lambda name, rows: pytest.fail("nobody else is asked"))


@pytest.fixture(scope="module")
def mario() -> Episode:
    """96 frames of 1-1: the player has fire, three enemies come."""
    with HstReader(find(Path("assets/sample_session.hst"))) as reader:
        return reader.episode(0)


def edited(episode: Episode, *texts: str, seed: int = 0, begin: int = 0) -> Scene:
    scene = Scene.of(episode, begin)
    Programme(from_options(texts, get_game(episode.game))).apply(scene, np.random.default_rng(seed), NOBODY)
    return scene


def test_numbers_agree_with_their_digits_and_what_does_not_is_said(mario: Episode) -> None:
    smb = get_game("smb").editing
    assert mario.state is not None
    whole, broken = edited(mario, "number: {coins: 37}"), edited(mario, "coins=3,7")
    assert whole.state[5, [0x7ED, 0x7EE, 0x75E]].tolist() == [3, 7, 37]
    assert smb.broken(whole.state, mario.state) == smb.broken(mario.state, mario.state)
    assert any(text.startswith("coins: the digits and the count") for text in smb.broken(broken.state, mario.state))
    crowd = mario.state.copy()
    crowd[:, 0x200:0x300:4] = 100
    assert any("more than 8 sprites" in text for text in smb.broken(crowd, mario.state))


def test_a_mirrored_world_is_one(mario: Episode) -> None:
    game = get_game("smb")
    assert mario.state is not None and mario.actions is not None
    scene = edited(mario, "mirror: true")
    made = game.editing.mirror(mario.state, mario.frames)
    was, now = game.decode(mario.state, None), game.decode(made.state, None)
    used = was.boxes[..., 0] > 0
    assert used.sum() > 100 and (now.boxes[used][:, 1] == 256 - was.boxes[used][:, 3]).all()
    assert np.array_equal(now.boxes[used][:, [0, 2, 4]], was.boxes[used][:, [0, 2, 4]])
    assert np.array_equal(made.frames[:, 32:], mario.frames[:, 32:, ::-1])
    assert np.array_equal(made.frames[:, :32], mario.frames[:, :32])
    still = was.camera % 16 == 0  # then 16 columns show, in both
    blocks, before = (np.where(s.tiles[0] < 256, s.tiles[0], 0)[still][..., :16] for s in (now, was))
    assert before.any() and np.array_equal(blocks, before[..., ::-1])
    left, right = (1 << 7 - game.buttons.index(name) for name in ("left", "right"))
    assert scene.episode.actions is not None
    assert np.array_equal(scene.episode.actions & left > 0, mario.actions & right > 0)
    assert np.array_equal(scene.episode.actions & 0x80, mario.actions & 0x80)
    assert not game.editing.broken(made.state, made.state).keys() - game.editing.broken(mario.state, mario.state).keys()


def test_the_console_mirrors_all_that_its_picture_unit_holds() -> None:
    random = np.random.default_rng(0)
    memory = random.integers(0, 256, (1, SIZE), dtype=np.uint8)
    memory[:, TABLES.stop : SPRITES.start] = [0, 1, 0, 1]
    memory[0, SPRITES].reshape(64, 4)[:, 3] %= 249
    memory[0, RUNS] = pack_runs([Run(0, 77, 300, mask=30), Run(90, 300, 20, 1, 0, True, 30)])
    picture = PictureUnit().draw(memory[0])[None].astype(np.uint8)
    made = get_game("nes").editing.mirror(memory, picture)
    assert np.array_equal(made.frames, picture[:, :, ::-1])
    assert np.array_equal(PictureUnit().draw(made.state[0]), picture[0, :, ::-1])
    assert np.array_equal(made.state[0, PATTERNS][:1], [int(f"{memory[0, PATTERNS][0]:08b}"[::-1], 2)])


def test_objects_and_tiles_are_put_elsewhere(mario: Episode) -> None:
    game = get_game("smb")
    assert mario.state is not None
    plain = game.decode(mario.state, None)
    there = plain.boxes[:, 0, 0] > 0
    moved = game.decode(edited(mario, "move: {object: enemy, which: 0, x: 9, y: -3}").state, None)
    removed = edited(mario, "remove: {object: enemy}").state
    shift = np.where(there[:, None], [0, 9, -3, 9, -3], 0)
    assert there.any() and np.array_equal(moved.boxes[:, 0], plain.boxes[:, 0] + shift)
    sprites = (moved.sprites[..., :2] - plain.sprites[..., :2]) * (moved.sprites[..., 1:2] < 0xF0)
    assert {tuple(way) for way in np.unique(sprites.reshape(-1, 2), axis=0).tolist()} == {(0, 0), (9, -3)}
    assert (np.count_nonzero(sprites.any(-1), 1)[there] >= 4).mean() > 0.8  # the enemy's own
    assert not game.editing.broken(removed, mario.state).keys() - game.editing.broken(mario.state, mario.state).keys()
    assert not removed[:, 0x0F:0x14].any() and len(np.unique(removed[:, 0x86])) > 1
    block = game.decode(edited(mario, "tile: {x: 5, y: 4, id: 0xC0}").state, None)
    assert block.tiles[0][0, 4, 5] == 0xC0 and (block.tiles[0] != plain.tiles[0]).sum() <= 2 * len(mario)
    alone = mario.take(slice(0, 4))
    assert alone.state is not None
    alone.state[:, 0x0F:0x15] = 0
    added = game.decode(edited(alone, "add: {object: enemy goomba, x: 100, y: 184}").state, None)
    assert added.boxes[0, 0].tolist() == [6, 100, 184, 116, 209]
    assert (np.sort(added.sprites[0, :, 2])[-80:] >= 0).all() and (added.sprites[0, :, 2] == 115).any()


def test_sprites_and_tiles_of_the_console_are_put_elsewhere() -> None:
    memory = np.zeros((2, SIZE), np.uint8)
    memory[:, SPRITES] = np.tile(np.array([255, 0, 0, 0], np.uint8), 64)
    memory[:, SPRITES.start : SPRITES.start + 4] = 49, 7, 1, 20
    memory[:, RUNS] = pack_runs([Run(0, 260, 0, mask=30)])
    memory[:, TABLES.stop : SPRITES.start] = [0, 1, 0, 1]
    nes = get_game("nes").editing
    moved, added = nes.move(memory, "sprite", 0, Place(10, -9))[0], nes.add(memory, "sprite", Place(3, 60))[0]
    assert moved[1, SPRITES][:4].tolist() == [40, 7, 1, 30] and added[1, SPRITES][-4:].tolist() == [59, 7, 1, 3]
    assert (nes.remove(memory, "sprite", 0)[0][:, SPRITES][:, ::4] == 255).all()
    assert nes.tile(memory, 2, 1, 9)[0][1, TABLES].reshape(4, -1)[1, 32 + 3] == 9
    assert "edge" in nes.move(memory, "sprite", 0, Place(-40))[1][0]
    assert nes.broken(added, added).keys() <= {
        "palettes hold a colour above 63, of which the console takes the lower six bits"
    }


def test_sessions_go_on_as_others_where_their_states_agree(mario: Episode) -> None:
    first, second = mario.take(slice(0, 60)), replace(mario.take(slice(20, 96)), name="b")
    others = Others({"a": 60, "b": 76}, lambda name: second.state, lambda name, rows: second.take(np.array(rows)))
    scene = Scene.of(replace(first, name="a"), 0)
    Programme(from_options(["splice: {least: 25}"], get_game("smb"))).apply(scene, np.random.default_rng(3), others)
    seam = scene.seams[0]
    i = seam["frame"]
    j = np.flatnonzero(second.frame_numbers == seam["from"])[0]
    assert 25 <= i <= 60 and len(scene.state) == i + 76 - j == len(scene.episode.frames)
    assert np.array_equal(scene.state[i:], second.state[j:]) and np.array_equal(scene.state[:i], first.state[:i])
    assert (np.diff(scene.episode.frame_numbers) > 0).all()
    assert abs(int(scene.state[i - 1, 0x71C]) - int(scene.state[i, 0x71C])) < 8  # the camera hardly jumps
    foreign = second.state.copy()
    foreign[:, 0x75F] += 1  # another world
    with pytest.raises(DataError, match="no episode 'c' has states"):
        Programme(from_options(["splice: {with: c}"], get_game("smb"))).apply(scene, np.random.default_rng(0), others)
    with pytest.raises(CannotBeDone, match="at no moment"):
        Programme(from_options(["splice: {with: b}"], get_game("smb"))).apply(
            Scene.of(first), np.random.default_rng(0), replace(others, state=lambda name: foreign)
        )


def test_time_runs_at_another_pace(mario: Episode) -> None:
    scene = edited(mario, "time: {every: 3, lag: 2}", begin=6)
    assert mario.actions is not None and scene.episode.actions is not None
    assert scene.episode.frame_numbers[6:].tolist() == mario.frame_numbers[6::3].tolist()
    assert scene.episode.actions[6:].tolist() == mario.actions[4:94:3].tolist()


PROGRAMME = """variants: 2
frames: 8
start: 0..40
edits:
  - set: player_power=0..2
    chance: 0.5
  - any:
      - number: {timer: 100..300}
      - time: {lag: [1, 3]}
        weight: 0.5
  - mirror: true
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("frames: 8", "frame: 8", "line 2: frame: is no key here; did you mean 'frames'"),
        ("chance: 0.5", "chance: 2", "line 6: edits[0].chance: must be a number from 0 to 1"),
        ("player_power", "player_pover", "line 5: edits[0].set: 'smb' has no field 'player_pover'"),
        (
            "timer: 100..300",
            "timer: 100..3000",
            "line 8: edits[1].any[0].number.timer: 100..3000 is not within 0 to 999",
        ),
        ("timer:", "time:", "line 8: edits[1].any[0].number.time: is no key here; did you mean 'timer'"),
        ("weight: 0.5", "weight: 0", "line 10: edits[1].any[1].weight: must be a number above 0"),
        ("lag: [1, 3]", "lag: [1, x]", "line 9: edits[1].any[1].time.lag: must be a whole number"),
        ("mirror: true", "mirror: yes", "line 11: edits[2].mirror: is true, or left out"),
        ("mirror: true", "look: [night, dawn]", "line 11: edits[2].look: 'dawn' is not known"),
        ("  - mirror: true", "  - {}", "line 11: edits[2]: does one thing"),
        ("edits:", "edits: {a: 1}\nmore:", "line 5: more: is no key here"),
        ("  - mirror: true", "  - [", "not valid YAML"),
        ("  - mirror: true", "  - move: {object: enemi}", "line 11: edits[2].move.object: 'enemi' is not known"),
        ("  - mirror: true", "  - tile: {x: 3, y: 13, id: 1}", "line 11: edits[2].tile.y: 13 is not within 0 to 12"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_line(old: str, new: str, said: str, tmp_path: Path) -> None:
    write_text(tmp_path / "p.yaml", PROGRAMME.replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        read_programme(tmp_path / "p.yaml", get_game("smb"))
    assert said in str(error.value) and "p.yaml" in str(error.value)


def test_clips_go_into_every_format_with_what_was_done(mario: Episode, tmp_path: Path) -> None:
    info = SimpleNamespace(name=mario.name, frames=len(mario), columns={})
    store = SimpleNamespace(hash="h", infos=lambda: [info], read=lambda name, rows: mario.take(np.array(rows)))
    steps = from_options(["mirror: true", "time: {lag: 1..9}"], get_game("smb"))
    programme = Programme(steps, variants=2, frames=3, start=At("").draw("0..40", 0, 99))
    clips = list(make_clips(store, programme, lambda: pytest.fail("nothing is drawn"), 5, []))  # type: ignore[arg-type]
    made = {}
    for name, form in (
        ("a.hst", "hst"), ("store", "store"), ("a-v0", "minari"), ("lerobot", "lerobot"), ("shards", "webdataset"),
    ):  # fmt: skip
        assert write_clips(clips, tmp_path / name, form, "smb")["frames"] == 6
        made[name] = read_scenarios(tmp_path / name)
    assert len(made["a.hst"]) == 2 and all(read == made["a.hst"] for read in made.values())
    for record in made["a.hst"].values():
        assert record["edits"][0] == {"mirror": True} and 1 <= record["edits"][1]["time"]["lag"] <= 9
        assert 0 <= record["first"] <= 40 and record["said"] and record["sure"] == 1
    assert main(["exchange", str(tmp_path / "lerobot"), str(tmp_path / "back.hst"), "--workers", "1"]) == 0
    assert main(["decode", str(tmp_path / "back.hst"), str(tmp_path / "b"), "--to", "store", "--workers", "1"]) == 0
    assert read_scenarios(tmp_path / "b") == made["a.hst"]
    with HstReader(tmp_path / "back.hst") as back:
        assert np.array_equal(back.episode(0).frames, clips[0].episode.frames)
        assert np.array_equal(back.episode(0).actions, clips[0].episode.actions)


def test_edits_that_break_something_can_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["augment", str(find(Path("assets/sample_session.hst"))), str(tmp_path / "b.hst"), "--frames", "2"]
    assert main([*words, "--edit", "coin_count=3", "--whole", "--min-sure", "0.01"]) == 2
    assert "it breaks what was whole" in capsys.readouterr().err and not (tmp_path / "b.hst").exists()
    assert main([*words, "--edit", "nothing: true"]) == 2 and main([*words, "--edit", "mirror: {"]) == 2 == main(words)
