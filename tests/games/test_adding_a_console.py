"""docs/adding-a-console.md, followed word for word: two games of a console that nobody trained on."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hstmae.cli import main
from hstmae.games import registry

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-console.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_works_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.syspath_prepend(tmp_path)
    description, program = blocks("python")
    Path("pico.py").write_text(description, encoding="utf-8")
    Path("play.py").write_text(program, encoding="utf-8")
    (lines,) = blocks("bash")
    for line in lines.splitlines():
        verb, *words = shlex.split(line)
        if verb == "export":
            monkeypatch.setenv(*words[0].split("="))
        elif verb == "python":
            runpy.run_path(words[0], run_name="__main__")
        else:
            measure = ["--json", "e.json"] if words[0] == "evaluate" else []
            assert main([*words, *measure]) == 0, line
    report = json.loads(Path("e.json").read_text())
    assert report["model"] == "no network" and report["exact_match"] == 1
    assert report["baselines"]["mode_colour"]["exact_match"] < 0.5
    for game in ("game1", "game2"):
        for t, path in enumerate(sorted(Path("restored", game).glob("*.png"))):
            before = np.asarray(Image.open(f"recordings/{game}/{t}.png").convert("RGB"))
            assert np.array_equal(np.asarray(Image.open(path).convert("RGB")), before)
        assert t == 29
    assert os.stat("pico.hst").st_size < 60 * 48 * 64 / 20
