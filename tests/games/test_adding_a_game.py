"""The page on adding a game is true: its file is run as it stands there, and found in every way it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hstmae.cli import main
from hstmae.data.clips.clip import collate
from hstmae.errors import GameError
from hstmae.games import GameSpec, game_names, get_game, register, registry, use_game
from hstmae.games.atari import Breakout

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-game.md"


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def cave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "cave.py"
    path.write_text(blocks()[0], encoding="utf-8")
    monkeypatch.setenv(registry.VARIABLE, "")
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.chdir(tmp_path)
    yield path


def run_page(cave: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The names that the page's last program leaves, which finds the others beside it."""
    monkeypatch.setenv(registry.VARIABLE, str(cave))
    monkeypatch.syspath_prepend(cave.parent)
    for name in ("cave", "play"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    cave.with_name("play.py").write_text(blocks()[1], encoding="utf-8")
    names: dict[str, object] = {"__name__": "page"}
    exec(compile(blocks()[2], str(PAGE), "exec"), names)
    return names


def test_the_page_runs_from_memory_to_clips(cave: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names, game = run_page(cave, monkeypatch), get_game("cave")
    clip = names["clip"]
    assert clip.frames.shape == (4, 48, 64) and clip.frames.dtype == np.uint8  # type: ignore[attr-defined]
    batch = names["clips"].batch(0, 2)  # type: ignore[attr-defined]
    assert batch.frames.shape == (2, 4, 48, 64) and batch.state is not None
    assert batch.state.tiles[0].shape == (2, 4, 4, 6) and batch.state.sprites.shape == (2, 4, 2, 4)
    assert collate([clip]).palette.shape == (1, 16, 3)  # type: ignore[list-item, union-attr]
    whole = names["EpisodeStore"](cave.parent / "own_store")[0]  # type: ignore[operator]
    state = game.decode(whole.state, whole.context)
    regions = game.region_map(state, len(whole))
    for region, colour in (("miner", 15), ("bat", 12), ("rock", 5), ("gem", 10)):
        found = regions == game.regions.index(region)
        assert found.any() and (whole.frames[found] == colour).all()
    assert (whole.frames[:-1][regions[1:] == game.regions.index("miner")] != 15).any()  # a frame late it is wrong
    assert state.token_valid[:30, 1].all() and not state.token_valid[30:].all(1).any()


def test_a_network_is_built_for_the_game_and_reads_its_state(cave: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from hstmae.models.inputs import MaskedClips
    from hstmae.models.zoo import build_model

    names = run_page(cave, monkeypatch)
    batch = names["clips"].batch(0, 1)  # type: ignore[attr-defined]
    small = {"dims": (16, 16, 16, 16), "depths": (1, 1, 1, 1), "head_dim": 16, "decoder_dim": 16}
    model = build_model("hst-mae-nano", game="cave", **small, decoder_head_dim=16, decoder_depth=1).eval()
    visible, queries = torch.tensor([[0, 5]]), torch.tensor([[3, 7]])
    with torch.no_grad():
        logits = model(MaskedClips(batch.frames, visible, batch.state, origin=batch.origin), queries)
    assert logits.shape == (1, 2, 2, 16, 16, 16)  # the last: colours of the game


def test_every_way_of_naming_it(cave: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GameError, match=f"unknown game 'cave'.*{registry.VARIABLE}"):
        get_game("cave")
    assert use_game("smb") == "smb"
    assert use_game(str(cave)) == use_game(f"{cave}:Cave") == use_game("cave.py") == "cave"
    assert "cave" in game_names() and os.environ[registry.VARIABLE] == str(cave.resolve())
    code = "from hstmae.games import get_game; print(get_game('cave').native_size)"
    environment = os.environ | {"PYTHONPATH": str(PAGE.parents[1])}
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert shown.stdout.strip() == "(64, 96)"  # a process that this one starts knows it
    found = type(get_game("cave"))
    monkeypatch.setenv(registry.VARIABLE, "")
    register(found)
    assert type(get_game("cave")) is found


def test_an_installed_package_adds_games(monkeypatch: pytest.MonkeyPatch, cave: Path) -> None:
    monkeypatch.syspath_prepend(cave.parent)

    def points(**wanted: str) -> EntryPoints:
        offered = EntryPoints(
            [
                EntryPoint("cave", "cave:Cave", registry.GROUP),
                EntryPoint("other", "cave:Cave", registry.GROUP),
                EntryPoint("gone", "cave:Gone", registry.GROUP),
                EntryPoint("number", "cave:ROWS", registry.GROUP),
            ]
        )
        return offered.select(**wanted)

    monkeypatch.setattr(registry, "entry_points", points)
    assert get_game("cave").state_size == 32 and "cave" in game_names()
    for name, reason in (("other", "both must agree"), ("gone", "AttributeError"), ("number", "no GameSpec class")):
        with pytest.raises(GameError, match=reason):
            get_game(name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("    fps = 30.0\n", ""), "lacks fps"),
        (("    def decode(", "    def decoded("), r"lacks decode\(\)"),
        (('name = "cave"', 'name = "smb"'), "the name is taken"),
        (("dtype=np.uint8)[:, None]", "dtype=np.int32)[:, None]"), "palette must be uint8"),
        (("np.array([1, 2, 3, 0], np.uint8)", "np.array([1, 2, 9, 0], np.uint8)"), "one of the 6 regions"),
        (("np.array([1, 2, 3, 0], np.uint8)", "np.array([1, 2, 3], np.uint8)"), "each of 4 tiles"),
        (("import numpy as np", "import numpie as np"), "ModuleNotFoundError"),
        (("class Cave(GameSpec)", "class Cave"), "no class in it"),
    ],
)
def test_a_wrong_description_is_refused(change: tuple[str, str], reason: str, cave: Path) -> None:
    text = cave.read_text(encoding="utf-8")
    assert change[0] in text
    wrong = cave.with_name(f"wrong_{abs(hash(reason))}.py")
    wrong.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(GameError, match=reason):
        use_game(str(wrong))
    assert os.environ[registry.VARIABLE] == ""


def test_a_class_is_chosen_and_absent_files_are_told(cave: Path) -> None:
    two = cave.with_name("two.py")
    text = cave.read_text(encoding="utf-8")
    two.write_text(text + '\n\nclass Deep(Cave):\n    name = "deep"\n', encoding="utf-8")
    assert use_game(f"{two}:Deep") == "deep" and get_game("deep").state_size == 32
    for wish in (str(two), f"{two}:Else"):
        with pytest.raises(GameError, match="choose one of its games"):
            use_game(wish)
    with pytest.raises(GameError, match="FileNotFoundError"):
        use_game(str(cave.with_name("absent.py")))


@pytest.mark.parametrize("verb", ["restore", "stream", "inspect", "encode", "exchange", "preprocess", "bench codec"])
def test_every_verb_takes_a_file(verb: str, cave: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (32, 32)).save(pictures / "0.png")
    broken = cave.with_name("broken.py")
    broken.write_text("import numpie\n", encoding="utf-8")
    out = {"encode": [str(tmp_path / "a.hst")], "exchange": [str(tmp_path / "a"), "--to", "minari"]}
    rest = {"restore": ["--out", str(tmp_path / "a")], "stream": ["--to", "http://127.0.0.1:1/a"]}
    words = [str(pictures), *(out | rest).get(verb, []), "--game", str(broken)]
    if verb == "preprocess":
        words = ["--input_dir", str(pictures), "--output_dir", str(tmp_path / "a"), "--game", str(broken)]
    assert main([*verb.split(), *words]) == 2
    assert "ModuleNotFoundError" in capsys.readouterr().err


def test_what_a_file_prints_does_not_get_into_a_report(
    cave: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (32, 32)).save(pictures / "0.png")
    loud = cave.with_name("loud.py")
    loud.write_text('print("hello")\n' + cave.read_text(encoding="utf-8"), encoding="utf-8")
    out = str(tmp_path / "a.hst")
    main(["encode", str(pictures), out, "--game", str(loud), "--resize", "32", "--json", "-"])
    told = capsys.readouterr()
    assert "hello" in told.err and "hello" not in told.out


def test_a_package_name_cannot_be_taken() -> None:
    class Mine(Breakout):
        pass

    with pytest.raises(GameError, match="taken"):
        register(Mine)
    assert issubclass(Mine, GameSpec) and "Mine" not in game_names()
