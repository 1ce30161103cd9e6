"""Edited states: by the names of fields, drawn, stored; and held against the console's own picture of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from nes_rom import rom_bytes, unusual_rom_bytes

from hstmae.cli import main
from hstmae.data.store.reader import EpisodeStore
from hstmae.data.store.recording import record_into_store
from hstmae.errors import UsageError
from hstmae.games import get_game
from hstmae.games.nes.memory import COLOURS, PATTERNS, SPRITES, TABLES
from hstmae.games.nes.picture import PictureUnit
from hstmae.scenarios import parse_edit, read_scenarios


def edited(text: str, game: str = "nes", seed: int = 0) -> np.ndarray:
    spec = get_game(game)
    state = np.full((2, spec.state_size), 7, np.uint8)
    return parse_edit(text, spec).apply(state, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        ("sprites[3]=40", slice(SPRITES.start + 3, SPRITES.start + 4), [40]),
        ("palettes[0:4]=0x0F,1", slice(COLOURS.start, COLOURS.start + 4), [15, 1, 15, 1]),
        ("name_tables[0:6:2] = 9", slice(TABLES.start, TABLES.start + 6), [9, 7, 9, 7, 9, 7]),
        ("Sprites[0]+=250", slice(SPRITES.start, SPRITES.start + 1), [1]),
        ("sprites[0]-=8", slice(SPRITES.start, SPRITES.start + 1), [255]),
        ("patterns[1]^=0xFF", slice(PATTERNS.start + 1, PATTERNS.start + 2), [248]),
    ],
)
def test_what_is_named_changes_and_nothing_else(text: str, place: slice, wanted: list[int]) -> None:
    made = edited(text)
    assert made[:, place].tolist() == [wanted] * 2
    made[:, place] = 7
    assert (made == 7).all()


def test_ranges_are_drawn_by_the_seed_for_a_whole_clip() -> None:
    drawn = {tuple(edited("sprites[3]=0..255", seed=k)[:, SPRITES.start + 3].tolist()) for k in range(6)}
    assert len(drawn) > 3 and all(first == second for first, second in drawn)
    assert edited("memory[16]=3", "atari2600")[0, 16] == 3  # whose addresses begin at 0x80


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "sprites",
        "sprites=",
        "sprites[=1",
        "sprites[]=1",
        "sprites[256]=1",
        "sprites[4:4]=1",
        "sprites[0:8:0]=1",
        "sprites[-1]=1",
        "sprites[x]=1",
        "sprites=256",
        "sprites=9..3",
        "sprites=1,",
        "sprites*=2",
        "sprite=1",
        "sprites=0x",
        "sprites[0]==1",
        "sprites[0]=1e3",
        "\n[0]=1",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--edit"):
        parse_edit(text, get_game("nes"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("cynes")
    from hstmae.data.sources.nes.session import NesEpisode

    folder = tmp_path_factory.mktemp("augmented")
    (folder / "own.nes").write_bytes(rom_bytes())
    record_into_store([NesEpisode(folder / "own.nes", 8)], folder / "store", game="nes", kind="emulator")
    return folder / "store"


def test_new_clips_hold_what_was_edited(store: Path, tmp_path: Path) -> None:
    words = ["augment", str(store), str(tmp_path / "new"), "--edit", "palettes[0:16]=0x21,0x16", "work memory[3]=5"]
    assert main([*words, "--copies", "2", "--min-sure", "0.5", "--json", str(tmp_path / "a.json")]) == 0
    before, after = EpisodeStore(store)[0], EpisodeStore(tmp_path / "new")
    report = json.loads((tmp_path / "a.json").read_text())
    assert len(after) == 2 and [clip["kept"] for clip in report["clips"]] == [True, True]
    assert before.state is not None
    for clip in (after[0], after[1]):
        assert clip.state is not None and (clip.state[:, 3] == 5).all()
        assert (clip.state[:, COLOURS][:, :16:2] == 0x21).all()
        told = np.stack([PictureUnit().draw(memory) for memory in clip.state])
        assert (told[-1] == clip.frames[-1]).all() and (clip.frames != before.frames).any()
        assert np.array_equal(clip.state[:, SPRITES], before.state[:, SPRITES])
    source = next((tmp_path / "new").rglob("source.json")).read_text()
    assert "signature" in source and main([*words, "--copies", "2", "--min-sure", "0.5"]) == 0  # those are kept


def test_clips_that_are_not_sure_and_other_wishes_are_refused(store: Path, tmp_path: Path) -> None:
    words = ["augment", str(store), str(tmp_path / "new"), "--edit"]
    assert main([*words, "scrolling[2]=0", "--frames", "1"]) == 2  # nothing is told any more
    assert not EpisodeStore(store).verify()
    assert main([*words, "lives=3"]) == 2 and main([*words, "sprites[0]=1", "--checkpoint", "hst-mae-nano"]) == 2
    assert main(["augment", str(store), str(store), "--edit", "sprites[0]=1"]) == 2


@pytest.mark.parametrize("data", [rom_bytes(), unusual_rom_bytes()], ids=["own", "unusual"])
def test_drawn_as_the_console_itself_draws_the_same_memory(data: bytes, tmp_path: Path) -> None:
    pytest.importorskip("cynes")
    from hstmae.data.sources.nes.console import NesConsole

    (tmp_path / "a.nes").write_bytes(data)
    console, unit, random = NesConsole(tmp_path / "a.nes"), PictureUnit(), np.random.default_rng(0)
    for t in range(30):
        console.emulator.step(4)
        if t < 20 or t % 3:
            continue
        state = console.emulator.save()
        memory = console.memory(state)
        memory[SPRITES], memory[COLOURS] = random.integers(0, 240, 256), random.integers(0, 64, 32)
        memory[TABLES][:960] = random.integers(0, 256, 960)
        shown, run = console.redraw(state, memory)
        assert np.array_equal(console.alike[unit.lines(memory, run, 240)], shown)
        console.emulator.load(state)


def test_the_console_itself_plays_on_from_what_was_edited(store: Path, tmp_path: Path) -> None:
    before, rom = EpisodeStore(store)[0], str(store.parent / "own.nes")
    (tmp_path / "p.yaml").write_text("start: 3\nedits:\n  - set: palettes[0]=0x21\n")
    (tmp_path / "other.nes").write_bytes(rom_bytes(seed=1))
    words = ["augment", str(store), str(tmp_path / "new"), "--rollout", "6", "--rom"]
    assert main([*words, str(tmp_path / "other.nes"), "--edit", "sprites[0]=1"]) == 2  # another ROM
    assert main([*words, rom, "--edit", "mirror: true"]) == 2 == main([*words[:-1], "--edit", "sprites[0]=1"])
    assert main([*words, rom, "--edit", "palettes[0]^=0"]) == 0
    played = EpisodeStore(tmp_path / "new")[0]  # nothing was edited: it is what was recorded, and goes on after it
    same = played.frame_numbers[0] - 1
    assert np.array_equal(played.frames[: 8 - same], before.frames[same:][: len(played)])
    assert np.array_equal(played.frame_numbers, np.arange(len(played)) + same + 1) and len(played) >= 6
    assert main([*words[:2], str(tmp_path / "b"), *words[3:], rom, "--programme", str(tmp_path / "p.yaml")]) == 0
    edited_clip = EpisodeStore(tmp_path / "b")[0]
    assert edited_clip.state is not None and (edited_clip.state[:, COLOURS.start] == 0x21).all()
    told = np.stack([PictureUnit().draw(memory) for memory in edited_clip.state])
    assert (told == edited_clip.frames)[told >= 0].all() and (told >= 0).mean() > 0.9
    ((_, record),) = read_scenarios(tmp_path / "b").items()
    assert record["edits"] == [{"set": "palettes[0]=0x21"}] and record["rollout"] == 6 and record["told"] > 0.9
