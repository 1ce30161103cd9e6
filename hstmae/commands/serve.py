"""`hstmae serve`: sessions in the browser."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from .options import Number

HELP = "show sessions and live streams in the browser, and restore pictures, films and recordings there"
EXAMPLES = """examples:
  hstmae serve
  hstmae serve --files sessions --port 9000
  hstmae serve --files sessions --record
  hstmae serve --host 0.0.0.0 --allow-host films.example.org --publish-token SECRET

The page plays the bundled session at once, any .hst file of the visitor's, and those in DIR. Sessions are decoded in
the browser, bit for bit. A second page restores pictures, films and recordings: paint what is missing; one upload at a
time, in a process of its own. Files are gone an hour after they were last looked at, and when the server ends. What
`hstmae stream` sends is watched on the first page while it happens. Without --host only this machine reaches it. Ctrl-C
ends it."""


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
    parser.add_argument("--record", action="store_true", help="keep what is streamed here as .hst files in DIR")
    parser.add_argument(
        "--publish-token",
        default=os.environ.get("HSTMAE_PUBLISH_TOKEN", ""),
        metavar="TEXT",
        help="what `hstmae stream` has to show; without it only this machine publishes (or HSTMAE_PUBLISH_TOKEN)",
    )
    parser.add_argument(
        "--view-token",
        default=os.environ.get("HSTMAE_VIEW_TOKEN", ""),
        metavar="TEXT",
        help="what visitors have to show: http://.../?token=TEXT (or HSTMAE_VIEW_TOKEN)",
    )
    parser.add_argument("--no-restore", action="store_true", help="nothing can be uploaded and restored")


def run(args: argparse.Namespace) -> int:
    from ..errors import UsageError

    try:
        from ..serving.running import Serving, serve
    except ImportError as error:
        raise UsageError(f'serving needs the extra "serve": pip install "hstmae[serve]" ({error})') from None
    if args.record and args.files is None:
        raise UsageError("--record keeps streams in the folder of --files: name one")
    tokens = {"publish_token": args.publish_token, "view_token": args.view_token}
    allowed = tuple(args.allow_host)
    return serve(args.host, int(args.port), Serving(args.files, allowed, not args.no_restore, args.record, **tokens))
