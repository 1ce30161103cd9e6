"""Scripts for shells: they know every verb and option, and bash completes by the one it is given."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hstmae.cli import main
from hstmae.commands import VERBS, parser_of
from hstmae.commands.completion import SHELLS

pytest.importorskip("shtab")


@pytest.fixture(params=SHELLS)
def script(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", request.param]) == 0
    return capsys.readouterr().out


def test_every_verb_and_option_is_known(script: str) -> None:
    for verb in VERBS:
        assert verb in script
        for action in parser_of(verb)._actions:
            for option in action.option_strings:
                assert option in script or (option.startswith("-") and f"l {option.lstrip('-')}" in script), option


BASH = shutil.which("bash")


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bash") / "hstmae"
    import contextlib

    with path.open("w") as file, contextlib.redirect_stdout(file):
        assert main(["completion", "bash"]) == 0
    return path


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["res"], {"restore"}),
        (["rec"], {"record", "recover"}),
        (["restore", "--sta"], {"--state"}),
        (["restore", "--state", "n"], {"none"}),
        (["decode", "--to", ""], {"store", "smbdataset", "png", "mp4", "npz"}),
        (["completion", ""], {*SHELLS}),
        (["info", "here"], {"here.hst"}),
    ],
)
def test_bash_completes(words: list[str], offered: set[str], bash_script: Path, tmp_path: Path) -> None:
    (tmp_path / "here.hst").touch()
    line = ["hstmae", *words]
    quoted = " ".join(f"'{word}'" for word in line)
    code = (
        f"source '{bash_script}'; name=$(complete -p hstmae | sed 's/.*-F \\([^ ]*\\).*/\\1/'); "
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; $name hstmae '{words[-1]}' '{line[-2]}'; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run([str(BASH), "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert offered <= {word.strip() for word in done.stdout.split("\n")}, done.stdout + done.stderr
