"""The guard of outputs: what is there stays, through every verb; reports; jobs that write to one place."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hstmae import cli
from hstmae.atomic import write_bytes
from hstmae.bundled import find
from hstmae.commands import command_of, parser_of
from hstmae.errors import UsageError
from hstmae.journal import JOURNAL, resuming
from hstmae.output import Kind, check_output, check_outputs, filling, lies_in_output, write_result

# Verb, what must be given beside, and its outputs: option (or "" for the positional one) and kind.
FILE, FOLDER, GROWING = Kind.FILE, Kind.FOLDER, Kind.GROWING
VERBS: dict[str, tuple[list[str], list[tuple[str, Kind]]]] = {
    "record": (["--game", "smb", "--autoplay"], [("--out", GROWING), ("--save-movies", GROWING), ("--json", FILE)]),
    "preprocess": (["--input_dir", "IN"], [("--output_dir", GROWING), ("--json", FILE)]),
    "inspect": (["IN"], [("--out", FILE), ("--json", FILE)]),
    "verify": (["IN"], [("--json", FILE)]),
    "models": ([], [("--json", FILE)]),
    "train": (["--config", "IN"], [("--out", GROWING), ("--export", FILE), ("--json", FILE)]),
    "lighten": (["--config", "IN"], [("--out", GROWING), ("--json", FILE)]),
    "export": (["hst-mae-nano"], [("--out", FOLDER), ("--json", FILE)]),
    "atlas": (["IN"], [("--out", FILE), ("--pictures", FOLDER)]),
    "evaluate": (["--checkpoint", "hst-mae-nano", "--test_data", "IN"], [("--report", FOLDER), ("--json", FILE)]),
    "restore": (["IN"], [("--out", FOLDER), ("--json", FILE), ("--report", FILE), ("--before-after", FILE)]),
    "demo": ([], [("--out", FOLDER), ("--json", FILE)]),
    "encode": (["IN"], [("", FILE), ("--json", FILE)]),
    "decode": (["IN", "--to", "mp4"], [("", FILE)]),
    "decode png": (["IN", "--to", "png"], [("", FOLDER)]),
    "decode npz": (["IN", "--to", "npz"], [("", FOLDER)]),  # of several episodes; one is OUT.npz
    "decode store": (["IN", "--to", "store"], [("", GROWING)]),
    "decode smbdataset": (["IN", "--to", "smbdataset"], [("", GROWING)]),
    "info": (["IN"], [("--json", FILE)]),
    "recover": (["IN"], [("", FILE), ("--json", FILE)]),
    "join": (["IN"], [("", FOLDER), ("--json", FILE)]),  # or a file, by its ending
    "exchange": (["IN", "--to", "lerobot"], [("", FOLDER), ("--json", FILE)]),
    "bench": (["codec", "IN"], [("--json", FILE), ("--plot", FILE)]),
    "augment": (["IN", "--edit=lives=1"], [("", GROWING), ("--json", FILE)]),
    "stream": (["IN", "--to", "http://127.0.0.1:9/x"], [("--out", FILE), ("--json", FILE)]),
}
CASES = [(verb, option, kind) for verb, (_, outputs) in VERBS.items() for option, kind in outputs]
NEEDED = {
    "record": "--out",
    "preprocess": "--output_dir",
    "atlas": "--out",
    "restore": "--out",
    "lighten": "--out",
    "export": "--out",
}


def test_the_list_of_verbs_is_whole() -> None:
    assert {verb.split()[0] for verb in VERBS} == {*cli.VERBS} - {"completion", "play", "serve"}  # which write nothing
    for verb in {*cli.VERBS} - {"completion", "play", "serve"}:
        options = {s for action in parser_of(verb)._actions for s in action.option_strings}
        wanted = options & {"--out", "--json", "--report", "--export", "--pictures", "--save-movies", "--output_dir"}
        wanted |= options & {"--before-after"}
        assert wanted <= {option for option, _ in VERBS[verb][1]}, verb
        assert "--overwrite" in options


class Ran(Exception):
    pass


def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, option: str, target: Path, *more: str) -> int:
    """Run a verb with `target` as one of its outputs, up to where its work would begin."""

    def run(args: argparse.Namespace) -> int:
        raise Ran

    name = verb.split()[0]
    monkeypatch.setattr(command_of(name), "run", run)
    (tmp_path / "IN").touch()
    words = [str(tmp_path / "IN") if word == "IN" else word for word in VERBS[verb][0]]
    if name == "join":  # the output comes first
        words.insert(0, str(tmp_path / "other.hst" if option else target))
    words += [option, str(target)] if option else [str(target)] * (name != "join")
    if option and name in ("encode", "recover", "exchange", "augment"):
        words.append(str(tmp_path / "other.hst"))
    if NEEDED.get(name, option) != option:
        words += [NEEDED[name], str(tmp_path / "other.npz")]
    try:
        return cli.main([name, *words, *more])
    except Ran:
        return 0


def snapshot(folder: Path) -> dict[str, bytes | str]:
    return {
        path.relative_to(folder).as_posix(): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize(("verb", "option", "kind"), CASES)
def test_every_verb_keeps_what_is_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    option: str,
    kind: Kind,
) -> None:
    def run(target: Path, *more: str) -> tuple[int, str]:
        return command(tmp_path, monkeypatch, verb, option, target, *more), capsys.readouterr().err

    (tmp_path / "IN").touch()
    (tmp_path / "mine.bin").write_bytes(b"mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.bin").write_bytes(b"mine")
    (tmp_path / "link").symlink_to("mine.bin")
    (tmp_path / "dead").symlink_to("nothing")
    (tmp_path / "folder link").symlink_to("full")
    os.mkfifo(tmp_path / "pipe")
    before = snapshot(tmp_path)
    for name in ("link", "dead", "pipe"):
        for more in ((), ("--overwrite",)):
            code, error = run(tmp_path / name, *more)
            assert code == 2 and ("is a link" in error or "pipe" in error)
    code, error = run(Path("/dev/null"), "--overwrite")
    assert code == 2 and "is a device" in error
    code, error = run(tmp_path / "mine.bin" / "x")
    assert code == 2 and "mine.bin" in error
    assert run(tmp_path / "new" / "deeper" / "x")[0] == 0  # folders between are made when the time comes
    assert not (tmp_path / "new").exists()
    if "IN" in VERBS[verb][0]:
        code, error = run(tmp_path / "IN", "--overwrite")
        assert code == 2 and "is the input" in error
    if kind is FILE:
        code, error = run(tmp_path / "mine.bin")
        assert code == 2 and "add --overwrite" in error
        assert run(tmp_path / "mine.bin", "--overwrite")[0] == 0
        for more in ((), ("--overwrite",)):
            code, error = run(tmp_path / "full", *more)
            assert code == 2 and "is a folder" in error
    else:
        for more in ((), ("--overwrite",)):
            code, error = run(tmp_path / "mine.bin", *more)
            assert code == 2 and "is a file" in error
        code, error = run(tmp_path / "full")
        assert (code, "add --overwrite" in error) == ((0, False) if kind is GROWING else (2, True))
        assert run(tmp_path / "full", "--overwrite")[0] == 0
        assert run(tmp_path / "folder link", "--overwrite")[0] == (0 if kind is GROWING else 2)
    if option == "--json":
        assert run(Path("-"))[0] == 0
    assert snapshot(tmp_path) == before


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for path, kind in ((tmp_path / "x", FILE), (tmp_path / "a" / "x", FOLDER), (tmp_path / "there", GROWING)):
        with pytest.raises(UsageError, match="cannot be written"):
            check_output(path, kind)


def test_two_outputs_of_one_name_and_outputs_that_are_inputs(tmp_path: Path) -> None:
    check_outputs([(tmp_path / "a", FILE), (None, FILE), (tmp_path / "b", FILE)], False, [tmp_path / "c"])
    with pytest.raises(UsageError, match="two outputs"):
        check_outputs([(tmp_path / "a", FILE), (str(tmp_path / "x" / ".." / "a"), FOLDER)], False, [])
    (tmp_path / "in").mkdir()
    (tmp_path / "as").symlink_to("in")
    with pytest.raises(UsageError, match="is the input"):
        check_outputs([(tmp_path / "in", GROWING)], True, [tmp_path / "as"])


def test_atomic_files_replace_files_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "link").symlink_to("mine")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(FileExistsError, match=name):
            write_bytes(tmp_path / name, b"x")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "mine").read_bytes() == b"mine"
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "link", "pipe"}


def test_links_inside_of_an_output_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "frames").symlink_to("../elsewhere")
    with pytest.raises(UsageError, match="is a link"), filling(tmp_path / "out", True) as temp:
        (temp / "frames").mkdir()
        (temp / "frames" / "a.png").write_bytes(b"x")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_results_go_to_a_file_to_stdout_or_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_result(None, {"a": 1})
    assert capsys.readouterr().out == ""
    write_result("-", {"a": 1})
    assert json.loads(capsys.readouterr().out) == {"a": 1}
    write_result(tmp_path / "x.json", {"a": 1})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 1}


@pytest.mark.parametrize("error", [RuntimeError, OSError, KeyboardInterrupt, UsageError])
def test_finished_work_outlives_any_error(tmp_path: Path, error: type[BaseException]) -> None:
    out = tmp_path / "out"
    with pytest.raises(error), resuming(out, False, "key") as journal:
        raise error
    assert not list(tmp_path.iterdir())
    with pytest.raises(error), resuming(out, False, "key") as journal:
        (journal.folder / "a.png").write_bytes(b"x")
        journal.note("s", [0], {"n": 1})
        raise error
    assert not out.exists()
    with resuming(out, False, "key") as journal:
        assert journal.done == {"s": {0}} and journal.totals == {"n": 1}
    assert [path.name for path in out.iterdir()] == ["a.png"] and JOURNAL not in os.listdir(out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_another_key_begins_anew(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), resuming(tmp_path / "out", False, "one") as journal:
        (journal.folder / "a.png").write_bytes(b"x")
        journal.note("s", [0], {})
        raise RuntimeError
    with resuming(tmp_path / "out", False, "two") as journal:
        assert journal.done == {} and [p.name for p in journal.folder.iterdir()] == [JOURNAL]


_OTHER = """
import sys
from pathlib import Path
from hstmae.errors import UsageError
from hstmae.journal import resuming
from hstmae.output import filling
try:
    with (filling(Path(sys.argv[1]), True) if sys.argv[2] == "filling" else resuming(Path(sys.argv[1]), True, "other")):
        pass
except UsageError as error:
    print(error)
"""


@pytest.mark.parametrize("way", ["filling", "resuming"])
def test_a_second_run_on_one_output_is_told_at_once(tmp_path: Path, environment: dict[str, str], way: str) -> None:
    out = tmp_path / "out"

    def other() -> str:
        command = [sys.executable, "-c", _OTHER, str(out), way]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    with resuming(out, False, "mine") as journal:
        (journal.folder / "a.png").write_bytes(b"x")
        assert "another run is writing" in other()
    assert [path.name for path in out.iterdir()] == ["a.png"]
    with filling(out, True):
        assert "another run is writing" in other()
    assert other() == ""


def test_outputs_are_no_inputs(tmp_path: Path) -> None:
    out = tmp_path / "in" / "restored"
    out.mkdir(parents=True)
    (tmp_path / "link").symlink_to("in")
    for path in (
        out,
        out / "compare",
        tmp_path / "link" / "restored" / "a.png",
        out.with_name(".restored.tmp-unfinished"),
    ):
        assert lies_in_output(path, out)
    for path in (tmp_path / "in", tmp_path / "in" / "restored2", tmp_path / "in" / "frames"):
        assert not lies_in_output(path, out)


def test_restore_leaves_its_own_output_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(find("assets/sample_masked.png"), tmp_path / "in" / "a.png")
    command = ["restore", str(tmp_path / "in"), "--out", str(tmp_path / "in" / "restored")]
    assert cli.main(command) == 0
    assert cli.main([*command, "--overwrite"]) == 0
    assert "left out 1 of 2 folders" in capsys.readouterr().err
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png")] == ["in/a.png", "in/restored/a.png"]
