"""One module per verb of the `hstmae` command: HELP, EXAMPLES, add_arguments(parser), run(args), outputs(args).

The last where it writes. Each is imported only when it is used.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from types import ModuleType
from typing import NoReturn

# In the order of a project.
VERBS = (
    *("record", "preprocess", "inspect", "verify", "models", "train", "lighten", "export", "atlas", "evaluate"),
    *(
        "restore",
        "demo",
        "encode",
        "decode",
        "info",
        "recover",
        "join",
        "exchange",
        "augment",
        "serve",
        "stream",
        "play",
        "bench",
        "completion",
    ),
)
_ROOMS = {  # verbs whose modules lie in another folder
    **{verb: f"moving.{verb}" for verb in ("join", "exchange", "augment")},
    **{verb: f"networks.{verb}" for verb in ("lighten", "export")},
    "bench": "measuring.bench",
}


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong in one line, whatever was typed."""

    def error(self, message: str) -> NoReturn:
        super().error(one_line(message))


def one_line(text: str) -> str:
    """The text with an escape for every line break and other control character, as names of files may hold them."""
    return "".join(c if c.isprintable() or c == " " else c.encode("unicode_escape").decode() for c in text)


def command_of(verb: str) -> ModuleType:
    return import_module(f".{_ROOMS.get(verb, verb)}", __package__)


def parser_of(verb: str) -> argparse.ArgumentParser:
    """What reads the options of a verb."""
    command = command_of(verb)
    parser = _Parser(
        prog=f"hstmae {verb}",
        description=command.HELP,
        epilog=command.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_options(parser, command)
    return parser


def add_options(parser: argparse.ArgumentParser, command: ModuleType) -> None:
    """Everything that a verb takes."""
    command.add_arguments(parser)
    if hasattr(command, "outputs"):
        parser.add_argument("--overwrite", action="store_true", help="outputs may replace files that are there")
