"""The front of the command line: dispatch, exit statuses, errors in one line, and how little a help text costs."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from types import ModuleType

import pytest

import hstmae
from hstmae import cli
from hstmae.commands import command_of, parser_of
from hstmae.errors import ConfigError, HstError


@pytest.fixture
def verb(monkeypatch):
    """A stand-in for `hstmae demo` whose work is given by the test."""
    module = ModuleType("hstmae.commands.demo")
    module.HELP = "stand-in"
    module.EXAMPLES = "examples:\n  hstmae demo --number 3"
    module.add_arguments = lambda parser: parser.add_argument("--number", type=int, default=0)
    module.run = lambda args: args.number
    monkeypatch.setitem(sys.modules, "hstmae.commands.demo", module)
    return module


def failing(error):
    def run(args):
        raise error

    return run


def test_dispatch_passes_arguments_and_status(verb):
    assert cli.main(["demo", "--number", "7"]) == 7
    assert cli.main(["demo"]) == 0


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"hstmae {hstmae.__version__}\n"


def test_no_arguments_is_a_usage_error(capsys):
    assert cli.main([]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "usage: hstmae VERB" in err


def test_unknown_verbs_get_a_suggestion(capsys):
    assert cli.main(["evalute", "x"]) == 2
    assert "did you mean 'evaluate'?" in capsys.readouterr().err
    assert cli.main(["xyzzy"]) == 2
    assert "verbs: record, preprocess" in capsys.readouterr().err


def test_usage_errors_of_a_verb(verb, capsys):
    assert cli.main(["demo", "--number", "x"]) == 2
    assert "hstmae demo: error: argument --number: invalid int value: 'x'" in capsys.readouterr().err
    assert cli.main(["demo", "--num", "3"]) == 2  # no abbreviations: a later option could change their meaning
    assert cli.main(["demo", "--help"]) == 0
    text = capsys.readouterr().out
    assert "hstmae demo --number 3" in text
    assert cli.main(["help", "demo"]) == 0
    assert capsys.readouterr().out == text


def test_help_alone_is_the_overview(capsys):
    assert cli.main(["help"]) == 0
    assert "usage: hstmae VERB" in capsys.readouterr().out
    assert cli.main(["help", "demmo"]) == 2
    assert "did you mean 'demo'?" in capsys.readouterr().err


def test_usage_errors_load_nothing_heavy(environment):
    code = (
        "import sys; from hstmae.cli import main, VERBS; codes = [main([v, '--nonsense']) for v in VERBS]\n"
        "print(set(codes), *sorted({'torch', 'numpy', 'PIL', 'matplotlib', 'zstandard'} & set(sys.modules)))"
    )
    assert run(environment, "-c", code, check=True).stdout == "{2}\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ConfigError("run.yaml: train.lr must be a number"), "run.yaml: train.lr must be a number"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/a.png"),
            "out/a.png: No space left on device; free some",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "out"), "out: Permission denied; check the permissions"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "in.png"), "in.png: No such file"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device; free some space"),
    ],
)
def test_expected_failures_are_one_line(verb, capsys, error, line):
    verb.run = failing(error)
    assert cli.main(["demo"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"hstmae demo: error: {line}")
    assert err.count("\n") == 1


def test_an_error_class_may_have_its_own_status(verb):
    class Special(HstError):
        exit_code = 5

    verb.run = failing(Special("x"))
    assert cli.main(["demo"]) == 5


@pytest.mark.parametrize(
    "error", [ValueError("defect"), OSError("no number"), ConnectionResetError(errno.ECONNRESET, "x")]
)
def test_defects_keep_their_traceback(verb, error):
    verb.run = failing(error)
    with pytest.raises(type(error)):
        cli.main(["demo"])


def test_interruption(verb, capsys):
    verb.run = failing(KeyboardInterrupt())
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_broken_pipe_elsewhere_is_not_hidden(verb):
    verb.run = failing(BrokenPipeError(errno.EPIPE, "a worker died"))
    with pytest.raises(BrokenPipeError):
        cli.main(["demo"])


def run(environment, *command, **options):
    return subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, **options)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_is_no_error(environment, unbuffered):
    environment = {**environment, "PYTHONUNBUFFERED": unbuffered}
    code = (
        "import sys, types; m = types.ModuleType('x'); m.HELP = m.EXAMPLES = ''; m.add_arguments = lambda p: None\n"
        "m.run = lambda a: [print('x' * 1000) for _ in range(1000)] and 0\n"
        "sys.modules['hstmae.commands.demo'] = m\n"
        "from hstmae.cli import main; sys.exit(main(['demo']))"
    )
    reader, writer = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    os.read(reader, 10)
    os.close(reader)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 141
    assert err == b""


def test_names_a_terminal_cannot_show_are_escaped(environment):
    code = (
        "import sys, types; m = types.ModuleType('x'); m.HELP = m.EXAMPLES = ''; m.add_arguments = lambda p: None\n"
        "m.run = lambda a: print('\\ub9c8\\ub9ac\\uc624') or 0\n"
        "sys.modules['hstmae.commands.demo'] = m\n"
        "from hstmae.cli import main; sys.exit(main(['demo']))"
    )
    done = run({**environment, "PYTHONIOENCODING": "ascii"}, "-c", code)
    assert (done.returncode, done.stdout) == (0, "\\ub9c8\\ub9ac\\uc624\n")


def test_every_verb_has_help_with_an_example():
    for name in cli.VERBS:
        command = command_of(name)
        assert len(command.HELP.splitlines()) == 1
        assert f"hstmae {name}" in command.EXAMPLES
        text = parser_of(name).format_help()
        assert f"hstmae {name}" in text.split("options:")[1]


def cpu_seconds_of_children() -> float:
    """Processor time, which other processes on a busy machine do not lengthen as they do wall time."""
    times = os.times()
    return times.children_user + times.children_system


def test_help_is_quick_and_loads_nothing_heavy(environment):
    code = (
        "import sys; from hstmae.cli import main, VERBS; main(['--help']); [main([v, '--help']) for v in VERBS]\n"
        "print('LOADED', *sorted({'torch', 'numpy', 'PIL', 'matplotlib', 'zstandard'} & set(sys.modules)))"
    )
    done = run(environment, "-c", code, check=True)
    assert done.stdout.rstrip().endswith("LOADED")
    seconds = []
    for _ in range(3):  # on a busy machine one run may take longer
        before = cpu_seconds_of_children()
        run(environment, "-m", "hstmae", "--help", check=True)
        seconds.append(cpu_seconds_of_children() - before)
    assert min(seconds) < 0.3


def test_importing_the_package_is_light_and_its_names_resolve(environment):
    code = "import sys, hstmae; assert 'torch' not in sys.modules and 'numpy' not in sys.modules; print(dir(hstmae))"
    assert "EpisodeStore" in run(environment, "-c", code, check=True).stdout
    for name in hstmae.__all__:
        assert getattr(hstmae, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Episodes'"):
        _ = hstmae.Episodes


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        (["-m", "data.preprocessing"], "preprocess"),
        (["experiments/train_mae.py"], "train"),
        (["experiments/evaluate.py"], "evaluate"),
        (["experiments/demo.py"], "demo"),
    ],
)
def test_scripts_are_verbs_without_an_installed_package(root, tmp_path, command, usage):
    """With -S nothing that pip installed can be found: only the checkout itself is used."""
    done = subprocess.run([sys.executable, "-S", *command, "--help"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.match(rf"usage: hstmae {usage}\b", done.stdout)
    done = subprocess.run([sys.executable, "-S", *command, "--nonsense"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 2
