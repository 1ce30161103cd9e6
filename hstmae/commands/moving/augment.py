"""`hstmae augment`: new clips from recorded states, edited by the names of what they hold."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...bundled import find
from ...early import AUTO
from ...output import Kind, Output, write_result
from ..options import COUNT, POSITION, SEED, SHARE, add_model, add_rom

if TYPE_CHECKING:
    from ...inference.footage_restorer import FootageRestorer
    from ...scenarios.drawing import Drawn, Load
    from ...scenarios.making import Recordings
    from ...scenarios.programme import Programme

HELP = "edit recorded states and draw them as new clips"
EXAMPLES = """examples:
  hstmae augment store night --edit "palettes[0:16]=0x0F,0x01,0x11,0x21"
      the same play with other colours, as a store of its own
  hstmae augment store moved --edit "sprites[3]=0..255" "sprites[0]+=16" --copies 10 --seed 1
      ten clips of each episode: the first sprite 16 lines further down, at another place of the line in each
  hstmae augment mario.hst night.hst --edit "look: night" "mirror: true" --checkpoint hst-mae-nano
  hstmae augment mario.hst lerobot/ --to lerobot --programme clips.yaml --checkpoint hst-mae-nano --json made.json
  hstmae augment store joined --edit "splice: {with: any}" --whole
  hstmae augment store played --edit "work memory[16]=3" --rom any.nes --rollout 60
      the console of a `record --game nes` draws the edited state, and plays on from it

NAME is a field of the game's description (its bytes, from 0 on), VALUE a number, several with commas, or LOW..HIGH,
drawn for each clip by the seed; +=, -= and ^= change what is there. Other edits are lines of a programme, a YAML file:

  variants: 4                          # clips of each episode
  frames: 64                           # of each clip
  start: 0..200                        # where it begins
  edits:
    - set: player_power=2              # as above
      chance: 0.5                      # in half of the clips
    - number: {coins: 0..99}           # digits and count together
    - any: [{look: night}, {look: snow, weight: 2}]
    - move: {object: enemy, which: 0..4, x: -24..24}
    - mirror: true                     # also: remove, add, tile, splice, time

Pictures are drawn from the edited state alone, by what the state tells, or by the model and atlas of the game; where no
state was edited they are the recorded ones. Clips of which less than --min-sure is sure are left out and named, and so
are with --whole those whose edits break what was whole before; what breaks is said in any case. What was done to a clip
stands in the summary (--json), and beside the clip: in its source.json of a store, in the head of a .hst file (`info
--json`), in what the other formats say of themselves. Reference: docs/scenarios.md."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("store", type=find, metavar="STORE", help="store, or .hst file, of recorded episodes with states")
    add("out", type=Path, metavar="OUT", help="store, file or folder for the new clips")
    add("--edit", nargs="+", action="extend", default=[], metavar="EDIT", help="what is changed, in this order")
    add("--programme", type=Path, metavar="FILE", help="YAML file that says by which chance what is done")
    add("--to", choices=("store", "hst", "lerobot", "minari", "webdataset"),
        help="what to write (default: store; hst where OUT ends in .hst)")  # fmt: skip
    add_model(parser, AUTO)
    add_rom(parser, "the console plays on by it, with --rollout: ")
    add("--rollout", type=COUNT, metavar="N", help="frames that the console plays on from the edited state")
    add("--copies", type=COUNT, metavar="N", help="clips of each episode (default: the programme's, else 1)")
    add("--frames", type=POSITION, metavar="N", help="of each clip; 0 = all (default: the programme's, else all)")
    add("--seed", type=SEED, default=0, help="of what is drawn")
    add("--min-sure", type=SHARE, default=0.98, metavar="SHARE", help="of a clip's pixels (default: %(default)s)")
    add("--whole", action="store_true", help="leave out clips whose edits break what was whole before")
    add("--json", metavar="FILE", help="also write the summary as JSON")


def _form(args: argparse.Namespace) -> str:
    return str(args.to or ("hst" if args.out.suffix.lower() == ".hst" else "store"))


def outputs(args: argparse.Namespace) -> list[Output]:
    kinds = {"store": Kind.GROWING, "hst": Kind.FILE}
    return [(args.out, kinds.get(_form(args), Kind.FOLDER)), (args.json, Kind.FILE)]


def run(args: argparse.Namespace) -> int:
    from ...errors import DataError, UsageError
    from ...scenarios import check_form, check_rollout, make_clips, roll_clips, write_clips

    form = _form(args)
    if not args.edit and args.programme is None:
        raise UsageError("say what is edited with --edit or --programme; `hstmae help augment` has examples")
    if args.out.resolve() == args.store.resolve():
        raise UsageError(f"{args.out}: is the store that is edited; new clips need one of their own")
    if (form == "hst") != (args.out.suffix.lower() == ".hst"):
        raise UsageError(f"{args.out}: --to {form} writes a {'file that ends in .hst' if form == 'hst' else 'folder'}")
    if (args.rom is None) != (args.rollout is None):
        raise UsageError("--rom and --rollout go together: whose ROM it is, and how many frames the console plays on")
    if args.rollout is not None and args.frames is not None:
        raise UsageError("--frames is for clips that are drawn; --rollout says how many frames the console plays")
    check_form(args.out, form)
    store, game = _opened(args.store)
    programme = _programme(args, game)
    clips: list[dict[str, Any]] = []
    if args.rollout is not None:
        check_rollout(programme, game)
        rolled = roll_clips(store, programme, args.rom, args.rollout, args.seed, clips)
        made = write_clips(_counted(rolled, store, programme, clips), args.out, form, game, args.overwrite)
    else:
        drawn = make_clips(store, programme, _restorer(args, game), args.seed, clips, args.min_sure, args.whole)
        made = write_clips(_counted(drawn, store, programme, clips), args.out, form, game, args.overwrite)
    left_out = [clip["name"] for clip in clips if not clip["kept"]]
    for clip in clips:
        told = f"{clip['sure']:.2%} sure, {clip['changed']:.2%} of the pixels changed" if "sure" in clip else "not made"
        print(f"{clip['name']}: {told}{'' if clip['kept'] else ', left out: ' + clip['why']}")
        for sentence, count in clip.get("breaks", {}).items():
            print(f"  breaks: {sentence} ({count} of {clip.get('edited', clip['frames'])} frames)")
    for sentence in dict.fromkeys(sentence for clip in clips for sentence in clip.get("said", ())):
        print(f"note      {sentence}")
    if len(left_out) == len(clips):
        why = "nothing was written; see --min-sure, --whole and why each is left out"
        raise DataError(f"no clip was kept: {clips[0]['why']}: {why}" if clips else f"{args.store}: has no episode")
    print(f"clips     {len(clips) - len(left_out)} of {len(clips)}, {made['frames']:,} frames in {args.out}")
    write_result(args.json, {"clips": clips, "edits": args.edit, "programme": programme.text, **made})
    return 0


def _opened(path: Path) -> tuple[Recordings, str]:
    if path.suffix.lower() == ".hst":
        from ...codec.session.as_store import HstStore

        packed = HstStore(path)
        return packed, packed.game
    from ...data.store.reader import EpisodeStore

    store = EpisodeStore(path)
    return store, store.game


def _programme(args: argparse.Namespace, name: str) -> Programme:
    """What --programme says, with the edits of --edit after its own, and the numbers of the options in place of its."""
    from dataclasses import replace

    from ...games import get_game
    from ...scenarios import Programme, from_options, read_programme

    game = get_game(name)
    programme = Programme(()) if args.programme is None else read_programme(args.programme, game)
    programme = replace(programme, steps=(*programme.steps, *from_options(args.edit, game)))
    programme = replace(programme, text=repr([programme.text, args.edit, args.copies, args.frames]))
    if args.copies is not None:
        programme = replace(programme, variants=args.copies)
    return programme if args.frames is None else replace(programme, frames=args.frames)


def _restorer(args: argparse.Namespace, game: str) -> Load:
    """What loads the model, which takes its time: only where something has to be drawn."""
    from functools import cache

    from ...errors import DataError
    from ...inference.choosing import without_model
    from ...model_folders import model_game
    from ..options import load_model

    own = game if args.checkpoint == AUTO else model_game(args.checkpoint)

    @cache
    def load() -> FootageRestorer:
        restorer = without_model(game) if args.checkpoint == AUTO else load_model(args)
        check(restorer.game.name)
        return restorer

    def check(other: str) -> None:
        if other != game:
            raise DataError(f"{args.store}: is a store of '{game}', and the model is for '{other}'")

    if own is None:
        load()
    else:
        check(own)
    return load


def _counted(
    made: Iterator[Drawn], store: Recordings, programme: Programme, clips: list[dict[str, Any]]
) -> Iterator[Drawn]:
    from tqdm import tqdm

    with tqdm(total=len(store.infos()) * programme.variants, unit="clip", desc="augment") as bar:
        for clip in made:
            bar.update(len(clips) - bar.n)
            yield clip
        bar.update(len(clips) - bar.n)
