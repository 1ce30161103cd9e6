"""A game that the package does not know, from pictures to restored pictures, by the commands of docs/adding-a-game.md;
and relatives of it whose pictures are laid out otherwise: a status bar below the map, a map that scrolls down."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hstmae.cli import main
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import get_game, registry

ROOT = Path(__file__).parents[2]
HELPERS = Path(__file__).parents[1] / "helpers"
PAGE = (ROOT / "docs" / "adding-a-game.md").read_text(encoding="utf-8")
SESSIONS, FRAMES = 9, 40
SMALL = [
    *("--max-steps", "1", "--set", "model.dims=[16,16,16,16]", "--set", "model.depths=[1,1,1,1]"),
    *("--set", "model.head_dim=16", "--set", "model.decoder_dim=16", "--set", "model.decoder_depth=1"),
    *("--set", "model.decoder_head_dim=16", "--set", "train.batch=1", "--set", "train.val_clips=1"),
]
SHORTER = {"train": SMALL, "evaluate": ["--clips", "2"]}  # what the page's commands get besides
MEASURING = ("evaluate", "restore")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder, with the page's cave.py and play.py in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(registry.VARIABLE, "")
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("cave", "play"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    Path("cave.py").write_text(blocks("python")[0], encoding="utf-8")
    Path("play.py").write_text(blocks("python")[1], encoding="utf-8")
    yield tmp_path


def run(lines: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict]:
    """Run shell lines; what the commands measure, by verb."""
    measured = {}
    for line in filter(None, lines.splitlines()):
        program, *words = shlex.split(line)
        if program == "export":
            monkeypatch.setenv(*words[0].replace("$PWD", os.getcwd()).split("="))
        elif program == "python":
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            subprocess.run([sys.executable, *words], check=True, env=environment)
        else:
            assert program == "hstmae"
            verb = words[0]
            Path(f"{verb}.json").unlink(missing_ok=True)
            measure = ["--json", f"{verb}.json"] if verb in MEASURING else []
            assert main([*words, *SHORTER.get(verb, []), *measure]) == 0, line
            if measure:
                measured[verb] = json.loads(Path(f"{verb}.json").read_text())
    return measured


def pictures(folder: Path) -> np.ndarray:
    """uint8 [T, H, W, 3] of the PNG files, in natural order."""
    files = sorted(folder.glob("*.png"), key=lambda p: int(re.sub(r"\D", "", p.stem)))
    return np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])


def test_the_commands_of_the_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (commands,) = (block for block in blocks("bash") if "hstmae preprocess" in block)
    verbs = [line.split()[1] for line in commands.splitlines() if line.startswith("hstmae")]
    assert verbs == ["preprocess", "inspect", "train", "atlas", "evaluate", "restore", "encode", "decode"]
    measured = run(commands, monkeypatch)

    store = EpisodeStore(folder / "cave_store")
    assert len(store) == SESSIONS and store.game == "cave" and store.meta["source"]["kind"] == "pictures"
    assert {info.split for info in store.infos()} == {"train", "val"}
    from play import play  # type: ignore[import-not-found]

    memories, drawn = zip(*play(1), strict=True)
    episode = store[store.position("session1")]
    assert episode.state is not None and episode.actions is not None
    assert np.array_equal(episode.frames, np.stack(drawn)) and np.array_equal(episode.state, np.stack(memories))
    assert set(episode.actions.tolist()) == {4}
    assert np.asarray(Image.open("sheet.png")).std() > 10
    assert measured["evaluate"]["state"] == "full" and measured["evaluate"]["clips"] == 2
    # The network has learned nothing in one step: it is state and atlas that restore.
    assert measured["restore"]["state"] == ["full"] and measured["restore"]["exact_match"] > 0.99
    before, after = pictures(folder / "recordings" / "session1"), pictures(folder / "restored")
    assert after.shape == before.shape and (after == before).all(-1).mean() > 0.99
    for number in range(1, SESSIONS + 1):
        truth = pictures(folder / "recordings" / f"session{number}")
        assert np.array_equal(pictures(folder / "decoded" / f"session{number}"), truth)


@pytest.fixture
def relative(folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A relative of Cave, recorded: recordings, a store, a network that has learned nothing, and an atlas."""
    name: str = request.param
    monkeypatch.setenv(registry.VARIABLE, str(HELPERS / "cave_relatives.py"))
    game = get_game(name)
    for start in range(1, SESSIONS + 1):
        memories, drawn = zip(*game.play(start), strict=True)  # type: ignore[attr-defined]
        session = folder / "recordings" / f"session{start}"
        session.mkdir(parents=True)
        for t, picture in enumerate(drawn):
            Image.fromarray(game.palette[picture]).save(session / f"{t}.png")
        np.savez(session.with_suffix(".npz"), state=np.stack(memories))
    settings = f"--set model.game={name} --set data.store=store --set data.stride=2 --set data.crop=0"
    lines = (
        f"hstmae preprocess --input_dir recordings --output_dir store --game {name} --val-fraction 0.34 --workers 1",
        f"hstmae train --config configs/mae_nano.yaml {settings} --out model",
        "hstmae atlas store --out atlas.npz",
    )
    run("\n".join(lines), monkeypatch)
    return name


@pytest.mark.parametrize("relative", ["bar", "deep"], indirect=True)
def test_other_layouts_are_restored(relative: str, monkeypatch: pytest.MonkeyPatch) -> None:
    game = get_game(relative)
    command = "hstmae restore recordings/session1 --checkpoint model --mask tube:0.5:3 --atlas atlas.npz"
    episode = EpisodeStore("store").read("session1", range(FRAMES))
    regions = game.region_map(game.decode(episode.state, None), FRAMES)
    scenery = np.isin(regions, [game.regions.index(name) for name in ("background", "rock", "gem")])
    for level in ("full", "compact"):
        report = run(f"{command} --state {level} --out {level}", monkeypatch)["restore"]
        assert report["state"] == [level]
        before, after = pictures(Path("recordings/session1")), pictures(Path(level))
        assert (after == before).all(-1)[scenery].mean() > 0.99, level
