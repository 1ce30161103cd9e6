"""`hstmae augment`: new clips from recorded states, edited by the names of what they hold."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...bundled import find
from ...early import AUTO
from ...output import Kind, Output, write_result
from ..options import COUNT, POSITION, SEED, SHARE, add_model

if TYPE_CHECKING:
    from ...data.store.reader import EpisodeStore
    from ...inference.footage_restorer import FootageRestorer

HELP = "edit recorded states and draw them as new clips"
EXAMPLES = """examples:
  hstmae augment store night --edit "palettes[0:16]=0x0F,0x01,0x11,0x21"
      the same play with other colours, as a store of its own
  hstmae augment store moved --edit "sprites[3]=0..255" "sprites[0]+=16" --copies 10 --seed 1
      ten clips of each episode: the first sprite 16 lines further down, at another place of the line in each
  hstmae augment store more --edit "name tables[0:960:7]=0..255" --min-sure 0.999 --json made.json

NAME is a field of the game's description (its bytes, from 0 on), VALUE a number, several with commas, or LOW..HIGH,
drawn for each clip by the seed; +=, -= and ^= change what is there. Pictures are drawn from the edited state alone, by
what the state tells, or by the model and atlas of the game; clips of which less than --min-sure is sure are left out
and named. The edits of a clip stand in the summary (--json), and in the source.json of its episode."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("store", type=find, metavar="STORE", help="store of recorded episodes with states")
    add("out", type=Path, metavar="OUT", help="store for the new clips")
    add(
        "--edit", nargs="+", action="extend", required=True, metavar="NAME=VALUE", help="what is changed, in this order"
    )
    add_model(parser, AUTO)
    add("--copies", type=COUNT, default=1, metavar="N", help="clips of each episode (default: %(default)s)")
    add("--frames", type=POSITION, default=0, metavar="N", help="first frames of each episode; 0 = all")
    add("--seed", type=SEED, default=0, help="of what is drawn")
    add("--min-sure", type=SHARE, default=0.98, metavar="SHARE", help="of a clip's pixels (default: %(default)s)")
    add("--json", metavar="FILE", help="also write the summary as JSON")


def outputs(args: argparse.Namespace) -> list[Output]:
    return [(args.out, Kind.GROWING), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ...data.store.reader import EpisodeStore
    from ...data.store.recording import record_into_store
    from ...errors import DataError, UsageError
    from ...games import get_game
    from ...scenarios import parse_edit

    if args.out.resolve() == args.store.resolve():
        raise UsageError(f"{args.out}: is the store that is edited; new clips need one of their own")
    store = EpisodeStore(args.store)
    edits = [parse_edit(text, get_game(store.game)) for text in args.edit]
    clips: list[dict[str, Any]] = []
    made = record_into_store(
        _drawn(args, store, _restorer(args, store), edits, clips), args.out, game=store.game, kind="augment"
    )
    left_out = [clip["name"] for clip in clips if not clip["kept"]]
    print(f"clips     {len(clips) - len(left_out)} of {len(clips)}, {made.frames:,} frames in {made.store}")
    for clip in clips:
        note = "" if clip["kept"] else ", left out"
        print(f"{clip['name']}: {clip['sure']:.2%} sure, {clip['changed']:.2%} of the pixels changed{note}")
    if len(left_out) == len(clips):
        raise DataError(f"no clip is {args.min_sure:.2%} sure: nothing was written; see --min-sure")
    write_result(args.json, {"clips": clips, "edits": args.edit, "frames": made.frames, "hash": made.hash})
    return 0


def _restorer(args: argparse.Namespace, store: EpisodeStore) -> FootageRestorer:
    from ...errors import DataError
    from ...inference.choosing import without_model
    from ...model_folders import model_game
    from ..options import load_model

    if args.checkpoint == AUTO:
        return without_model(store.game)
    restorer = None
    if (game := model_game(args.checkpoint)) is None:
        restorer = load_model(args)
        game = restorer.game.name
    if game != store.game:
        raise DataError(f"{store.path}: is a store of '{store.game}', and the model is for '{game}'")
    return restorer or load_model(args)


def _drawn(
    args: argparse.Namespace, store: EpisodeStore, restorer: FootageRestorer, edits: list[Any], clips: list[Any]
) -> Any:
    """New clips one after the other, each noted in `clips`; only those that are sure enough."""
    import numpy as np

    from ...scenarios import draw

    for number, info in enumerate(store.infos()):
        rows = range(min(args.frames or info.frames, info.frames))
        for copy in range(args.copies):
            random = np.random.default_rng([args.seed, number, copy])
            clip = draw(restorer, store.read(info.name, rows), edits, random, f"{info.name}_edit{copy}")
            clip.about = [store.hash, info.name, len(rows), args.seed, copy, restorer.fingerprint()]
            kept = clip.sure >= args.min_sure
            clips.append(
                {"name": clip.name, "of": info.name, "edits": args.edit, "sure": clip.sure, "changed": clip.changed}
                | {"confidence": clip.confidence.tolist(), "kept": kept}
            )
            if kept:
                yield clip
