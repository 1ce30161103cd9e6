"""`hstmae completion`: a script by which a shell completes verbs, options, their choices and file names."""

from __future__ import annotations

import argparse

from . import VERBS, add_options, command_of

HELP = "print a script that lets bash, zsh or fish complete verbs and options"
EXAMPLES = """\
examples:
  hstmae completion bash > ~/.local/share/bash-completion/completions/hstmae
  hstmae completion zsh > "${fpath[1]}/_hstmae"
  hstmae completion fish > ~/.config/fish/completions/hstmae.fish

A new shell completes then. `eval "$(hstmae completion bash)"` does it for the present one."""

SHELLS = ("bash", "zsh", "fish")
_FOLDERS = ("DIR", "STORE", "RUN")
_FILES = ("FILE", "PATH", "INPUT", "MODEL", "CHECKPOINT", "IN", "OUT", "CONFIG", *_FOLDERS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="what is typed into")


def run(args: argparse.Namespace) -> int:
    from ..errors import UsageError

    try:
        import shtab
    except ImportError:
        raise UsageError("completion needs shtab: pip install shtab") from None
    parser = argparse.ArgumentParser(prog="hstmae", allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in VERBS:
        command = command_of(verb)
        own = verbs.add_parser(verb, help=command.HELP, description=command.HELP, allow_abbrev=False)
        add_options(own, command)
        for action in own._actions:
            if (kind := _file_kind(action)) is not None:
                action.complete = shtab.FILE if kind == "file" else shtab.DIRECTORY  # type: ignore[attr-defined]
    print(shtab.complete(parser, args.shell))
    return 0


def _file_kind(action: argparse.Action) -> str | None:
    """ "file" or "folder" for an argument that names one, by how the help shows it; None for others."""
    shown = action.metavar if isinstance(action.metavar, str) else action.dest if not action.option_strings else ""
    words = {word.partition(".")[0].upper() for word in shown.replace("|", " ").replace("_", " ").split()}
    if not words & {*_FILES}:
        return None
    return "folder" if words <= {*_FOLDERS} else "file"
