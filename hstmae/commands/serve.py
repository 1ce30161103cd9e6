"""`hstmae serve`: sessions in the browser."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import Number

HELP = "show sessions in the browser, and restore pictures and films there"
EXAMPLES = """examples:
  hstmae serve
  hstmae serve --files sessions --port 9000
  hstmae serve --host 0.0.0.0 --allow-host films.example.org

The page plays the bundled session at once, any .hst file of the visitor's, and those in DIR. Sessions are decoded in
the browser, bit for bit. A second page restores pictures and films: paint what is missing; one upload at a time, in a
process of its own. Files are gone an hour after they were last looked at, and when the server ends. Without --host only
this machine reaches it. Ctrl-C ends it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--files", type=Path, metavar="DIR", help="folder whose .hst files are listed and played")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (default: %(default)s)")
    parser.add_argument(
        "--port", type=Number(0, 65535), default=8000, metavar="N", help="default: %(default)s; 0 = any free one"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which browsers may reach this server, besides localhost (may be given again)",
    )
    parser.add_argument("--no-restore", action="store_true", help="nothing can be uploaded and restored")


def run(args: argparse.Namespace) -> int:
    from ..errors import UsageError

    try:
        from ..serving.running import serve
    except ImportError as error:
        raise UsageError(f'serving needs the extra "serve": pip install "hstmae[serve]" ({error})') from None
    return serve(args.host, int(args.port), args.files, tuple(args.allow_host), not args.no_restore)
