"""Jobs cut into parts and joined: the very result of one run; what does not belong together is refused by name."""

from __future__ import annotations

import json
import shutil
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fake_ray import FakeRay
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny_store import make_store

from hstmae import cli
from hstmae.commands import evaluate
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import DataError
from hstmae.evaluation import side_by_side
from hstmae.executor import on_ray
from hstmae.parts import DONE, Job, Part, done, parse_part, whole

if TYPE_CHECKING:
    from hstmae.inference.predictor import Predictor

COUNT = 3


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recordings in "in", and one that is no recording; their store in "out"; five folders of small pictures in
    "fine", and in "small", where nothing of one can be read, and their archive "whole.hst"."""
    folder = tmp_path_factory.mktemp("parts")
    make_store(folder)
    empty = folder / "in" / "player_abcd_e9_1-1_win"
    empty.mkdir()
    (empty / "player_abcd_e9_1-1_f1_a0_2000-01-01_00-00-00.win.png").write_bytes(b"")
    draw = np.random.default_rng(0)
    for k, frames in enumerate((3, 1, 4, 2, 1)):
        (folder / "small" / f"film{k}").mkdir(parents=True)
        for t in range(frames):
            path = folder / "small" / f"film{k}" / f"{t:02}.png"
            Image.fromarray(draw.integers(0, 256, (16, 32, 3), np.uint8)).save(path)
    shutil.copytree(folder / "small", folder / "fine")
    path.write_bytes(b"no picture")
    assert run("encode", folder / "small", folder / "whole.hst", "--workers", 1) == 0
    return folder


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "load_model", lambda args: nano())
    monkeypatch.setattr(side_by_side, "_load", loaded_by_a_task)
    monkeypatch.setattr(on_ray, "_ray", FakeRay)


@cache
def nano() -> Predictor:
    from hstmae.inference.loading import load

    return load("hst-mae-nano", "cpu", None)


def loaded_by_a_task(*which: object) -> Predictor:
    assert which == ("hst-mae-nano", "cpu", None, False, "smb")
    return nano()


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


def digest(path: Path) -> str:
    """Of a file, or of all files of a folder."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    named = ((p.relative_to(path).as_posix() if p != path else "", p.read_bytes()) for p in files)
    return sha256(repr([*named]).encode()).hexdigest()


FORMS = {  # the command with {} for its output, and how that ends
    "encode": ("encode small {} --workers 1", ".hst"),
    "encode recordings": ("encode in {} --workers 1", ".hst"),
    "preprocess": ("preprocess --input_dir in --output_dir {} --workers 1 --val-levels 3-2", ""),
    "restore": ("restore fine --rect 2,2,9,9 --out {} --workers 1", ""),
    "evaluate": (
        "evaluate --checkpoint hst-mae-nano --test_data out --json {} --clips 4 --clip 2 --stride 1 --crop 32 "
        "--state none --atlas none --no-recall", ".json",
    ),
    "verify": ("verify whole.hst --json {}", ".json"),
    "verify a store": ("verify out --json {}", ".json"),
}  # fmt: skip


@pytest.mark.parametrize("verb", FORMS)
def test_parts_joined_and_a_cluster_make_what_one_run_makes(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    monkeypatch.chdir(base)
    form, suffix = FORMS[verb]
    one, joined = tmp_path / f"one{suffix}", tmp_path / f"joined{suffix}"
    assert run(*form.format(one).split()) == 0
    parts = [tmp_path / f"part{k}{suffix}" for k in range(1, COUNT + 1)]
    for k, part in enumerate(parts, 1):
        assert run(*form.format(part).split(), "--part", f"{k}/{COUNT}") == 0
    times = [p.stat().st_mtime_ns for part in parts if part.exists() for p in (part, *part.rglob("*"))]
    for k, part in enumerate(parts, 1):  # what is done is not done again
        assert run(*form.format(part).split(), "--part", f"{k}/{COUNT}") == 0
    assert times == [p.stat().st_mtime_ns for part in parts if part.exists() for p in (part, *part.rglob("*"))]
    assert run("join", joined, *reversed(parts)) == 0
    cluster = tmp_path / f"cluster{suffix}"
    assert run(*form.format(cluster).split(), "--executor", "ray") == 0
    assert digest(joined) == digest(one) == digest(cluster)
    if verb == "preprocess":
        assert EpisodeStore(joined).hash == EpisodeStore(one).hash and not EpisodeStore(joined).verify()
    capsys.readouterr()
    target = tmp_path / f"again{suffix}"
    for some, missing in ((parts[1:], f"1/{COUNT}"), (parts[:1], f"2/{COUNT}, 3/{COUNT}")):
        assert run("join", target, *some) == 2
        assert missing in capsys.readouterr().err and not target.exists()


def test_parts_of_other_jobs_are_refused_by_name(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(base)
    other = shutil.copytree(base / "small", tmp_path / "other")
    shutil.rmtree(other / "film0")
    parts = {name: tmp_path / f"{name}.hst" for name in ("a", "b", "gop", "input", "count", "twice")}
    for name, words in {
        "a": "small --part 1/2", "b": "small --part 2/2", "gop": "small --part 2/2 --gop 4", 
        "input": f"{other} --part 2/2",
        "count": "small --part 2/3", "twice": "small --part 1/2",
    }.items():  # fmt: skip
        source, *more = words.split()
        assert run("encode", source, parts[name], "--workers", 1, *more) == 0
    out = tmp_path / "out.hst"
    capsys.readouterr()

    def refused(*names: str | Path) -> str:
        assert run("join", out, *(parts.get(str(name), name) for name in names)) == 2
        assert not out.exists()
        return capsys.readouterr().err.replace(str(tmp_path), "")

    assert "/gop.hst" in (told := refused("a", "gop")) and "gop 4 instead of null" in told
    assert "/input.hst" in (told := refused("a", "input")) and "of another input" in told
    assert "/count.hst" in (told := refused("a", "count")) and "one of 3 parts" in told
    assert "/a.hst and /twice.hst" in (told := refused("a", "twice", "b")) and "1/2 comes twice" in told
    assert "whole.hst" in refused("a", base / "whole.hst")
    assert tmp_path.name in refused("a", tmp_path)
    record = Path(f"{parts['b']}{DONE}")
    for damage in (b"", b"[]", b"{}", b"\xff", record.read_bytes().replace(b'"part": [', b'"part": [3, ')):
        kept = record.read_bytes()
        record.write_bytes(damage)
        assert "b.hst" in refused("a", "b")
        record.write_bytes(kept)
    whole_bytes = parts["b"].read_bytes()
    for damaged in (whole_bytes[:-20], whole_bytes[:3000] + b"\0" + whole_bytes[3001:]):
        parts["b"].write_bytes(damaged)
        assert "b.hst" in refused("a", "b")
    parts["b"].unlink()
    assert "b.hst" in refused("a", "b")
    # And by the command that would make a part: not in place of another one.
    assert run("encode", "small", parts["gop"], "--workers", 1, "--part", "2/2") == 2
    assert "gop 4 instead of null" in capsys.readouterr().err
    assert run("encode", "small", parts["gop"], "--workers", 1, "--part", "2/2", "--overwrite") == 0
    assert run("join", out, parts["a"], parts["gop"]) == 0
    assert out.read_bytes() == (base / "whole.hst").read_bytes()
    assert run("join", out, parts["a"], parts["gop"]) == 2  # what is there stays
    assert "add --overwrite" in capsys.readouterr().err
    assert run("join", tmp_path / "out.json", parts["a"], parts["gop"]) == 2
    assert "ends in .hst" in capsys.readouterr().err


def test_a_part_whose_input_changed_is_not_taken_for_done(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = shutil.copytree(base / "small", tmp_path / "in")
    words = ("encode", source, tmp_path / "p.hst", "--workers", 1, "--part", "1/1")
    assert run(*words) == 0
    picture = sorted(source.rglob("*.png"))[5]
    picture.write_bytes(picture.read_bytes())
    assert run(*words) == 2 and "before its input changed" in capsys.readouterr().err
    assert run(*words, "--overwrite") == 0


def test_a_store_that_changed_since_is_refused(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("preprocess", "--input_dir", base / "in", "--workers", 1)
    for k in (1, 2):
        assert run(*words, "--output_dir", tmp_path / f"{k}", "--part", f"{k}/2") == 0
    assert run(*words, "--output_dir", tmp_path / "2", "--part", "1/2") == 2  # holds what is not in it
    assert run(*words, "--output_dir", tmp_path / "2") == 0  # all of it, into a part
    capsys.readouterr()
    assert run("join", tmp_path / "out", tmp_path / "1", tmp_path / "2") == 2
    assert str(tmp_path / "2") in capsys.readouterr().err and not (tmp_path / "out").exists()


@given(st.lists(st.integers(0, 1000), max_size=40), st.integers(1, 50))
def test_parts_are_neighbours_and_together_the_whole(weights: list[int], count: int) -> None:
    shares = [Part(k, count).share(weights) for k in range(1, count + 1)]
    assert [k for share in shares for k in share] == [*range(len(weights))]
    if weights:
        whole_weight, largest = sum(max(w, 1) for w in weights), max(max(w, 1) for w in weights)
        for share in shares:
            assert sum(max(weights[k], 1) for k in share) <= whole_weight / count + largest + 1e-6


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "a/3", "1/3/3", "-1/3", "1/0", "1.5/3", "１/3", "1/99999999"])
def test_senseless_parts_are_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError):
        parse_part(text)
    assert run("verify", "x", f"--part={text}") == 2
    assert "part" in capsys.readouterr().err


def test_versions_do_not_mix() -> None:
    records = [done(Job("encode", Part(k, 2), "i", "s", {}), {}) for k in (1, 2)]
    assert [record.job.part.number for _, record in whole([(Path("b"), records[1]), (Path("a"), records[0])])] == [1, 2]
    older = type(records[1])(records[1].job, {}, ("0.0", *records[1].programs[1:]))
    with pytest.raises(DataError, match=r"b: does not belong to a: .* other versions"):
        whole([(Path("a"), records[0]), (Path("b"), older)])


def test_the_joined_report_is_that_of_the_whole(base: Path, tmp_path: Path) -> None:
    """All that is counted and listed, but for what belongs to a run: its name and time."""
    assert run("encode", base / "small", tmp_path / "one.hst", "--workers", 1, "--json", tmp_path / "one.json") == 0
    for k in (1, 2, 3):
        assert run("encode", base / "small", tmp_path / f"{k}.hst", "--workers", 1, "--part", f"{k}/3") == 0
    parts = [tmp_path / f"{k}.hst" for k in (1, 2, 3)]
    assert run("join", tmp_path / "j.hst", *parts, "--json", tmp_path / "j.json") == 0
    one, joined = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "j"))
    for report in (one, joined):
        del report["path"], report["seconds"]
    assert joined == one and joined["problems"]
