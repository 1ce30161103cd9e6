"""`hstmae decode`: a .hst file -> a store, recordings, pictures, a film or arrays."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..journal import Journal, keeping, key_of, resuming
from ..output import STDOUT, Kind, Output, unfinished
from ..space import check_space
from .options import PROCESSES, RATE, add_rom

if TYPE_CHECKING:
    from ..codec.jobs.decode import Part
    from ..codec.session.reader import HstReader

HELP = "unpack a .hst file: a store, recordings, pictures, a film, arrays"
EXAMPLES = """examples:
  hstmae decode sessions.hst data/restored --to store
  hstmae decode sessions.hst recordings --to smbdataset
  hstmae decode session.hst clip.mp4 --to mp4 --frames 600:900
  hstmae decode film.hst film.mkv --to film
  hstmae decode small.hst recordings --to smbdataset --rom mario.nes
  hstmae decode session.hst frames --to png --frames 100:101
  hstmae decode session.hst session.npz --to npz --episode player_abcd_e0_1-1_win

--frames counts in the episode that --episode names, else through all episodes in a row. Only the groups of pictures
that are asked for are decoded. What was a film comes back as the very file, or its packets in another container; any
other film is coded anew, lossy. Everything else is exact. A run that was interrupted goes on
where it was when the same command is given again."""


def _frames(text: str) -> tuple[int | None, int | None]:
    a, colon, b = text.partition(":")
    try:
        if not colon:
            return int(a), int(a) + 1
        return (int(a) if a else None), (int(b) if b else None)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a:b, e.g. 600:900") from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", type=Path, metavar="IN.hst", help="file written by `hstmae encode`")
    add("out", type=Path, metavar="OUT", help="file or folder to write")
    add("--to", required=True, choices=tuple(_WRITERS), help="what to write")
    add("--frames", type=_frames, metavar="A:B", help="from A up to B, B left out (default: all)")
    add("--episode", metavar="NAME", help="only this episode")
    add("--fps", type=RATE, metavar="N", help="png, mp4, film: pictures a second (default: as recorded)")
    add("--blend", action="store_true", help="with --fps: mix neighbours instead of showing a frame again")
    add("--checkpoint", metavar="MODEL", help="codec model of a neural file (default: the bundled one)")
    add_rom(parser, "for sessions that were encoded with it: ")
    add("--workers", type=PROCESSES, default=0, metavar="N", help="processes, or groups at a time (one per core)")
    add("--resume", action="store_true", help="smbdataset: keep episodes that are there already")


def outputs(args: argparse.Namespace) -> list[Output]:
    kinds = {"store": Kind.GROWING, "smbdataset": Kind.GROWING, "png": Kind.FOLDER, "mp4": Kind.FILE, "film": Kind.FILE}
    arrays = Kind.FILE if args.out.suffix == ".npz" else Kind.FOLDER
    return [(args.out, kinds.get(args.to, arrays))]


def run(args: argparse.Namespace) -> int:
    from ..codec.jobs.decode import parts_of
    from ..codec.session.reader import HstReader
    from ..executor import threads_of

    if args.fps is not None and args.to not in ("png", "mp4", "film"):
        raise UsageError(f"--fps is for --to png, mp4 and film, not for {args.to}")
    if args.out == STDOUT and args.to not in ("mp4", "film"):
        raise UsageError(f"--to {args.to} writes no single stream: give a name instead of -")
    if args.blend and args.fps is None:
        raise UsageError("--blend needs --fps")
    if args.resume and args.to != "smbdataset":
        raise UsageError("--resume is for --to smbdataset; a store goes on by itself")
    options = {name: value for name in ("checkpoint", "rom") if (value := getattr(args, name)) is not None}
    with HstReader(args.input, threads=threads_of(args.workers, 1), **options) as reader:
        parts = parts_of(reader, args.episode, args.frames)
        for name in sorted({reader.episodes()[part.position].name for part in parts if reader.missing(part.position)}):
            print(f"{name}: the file is damaged and has not all of its frames; `hstmae verify` tells more")
        check_space(args.out, _needed(args, reader, parts))
        _WRITERS[args.to](args, reader, parts)
    return 0


def _bar(parts: list[Part]) -> Any:
    from tqdm import tqdm

    return tqdm(total=sum(len(part.rows) for part in parts), unit="frame", unit_scale=True, desc="decode")


def _needed(args: argparse.Namespace, reader: HstReader, parts: list[Part]) -> float:
    """Bytes that are going to be written, at least: no form is smaller than the groups of a file, but for films that
    are coded anew."""
    needed = 0.0
    for part in parts:
        description, share = reader.episodes()[part.position], len(part.rows) / reader.frames(part.position)
        packed = sum(header.size for _, header in reader.entries[part.position].gops)
        anew = args.to in ("mp4", "film") and (share < 1 or args.fps is not None)
        needed += description.raw_bytes(len(part.rows)) if args.to == "npz" else 0 if anew else share * packed
    return needed


def _store(args: argparse.Namespace, reader: HstReader, parts: list[Part]) -> None:
    from ..codec.jobs.inputs import coded_episodes
    from ..data.store.preprocessing import build_store

    every = coded_episodes(reader.path, None, tuple(reader.options.items()))
    kept = unfinished(args.out)
    chosen = [replace(every[part.position], rows=part.rows, size=len(part.rows), keep=kept) for part in parts]
    games = sorted({episode.game for episode in chosen})
    if len(games) > 1:
        raise UsageError(f"{reader.path} holds {', '.join(games)}: give each a store of its own, with --episode")
    about = reader.contents.about.get("splits")
    splits: dict[str, Any] = {"val_levels": [], "val_fraction": 0.05}
    if isinstance(about, dict) and isinstance(about.get("val_levels"), list):
        share = about.get("val_fraction")
        splits["val_levels"] = [str(level) for level in about["val_levels"]]
        splits["val_fraction"] = share if isinstance(share, float | int) and 0 <= share < 1 else 0.05
    kind = str(reader.contents.about.get("kind", "hst"))
    with keeping(args.out, _key(args)):
        summary = build_store(chosen, args.out, games[0], kind, splits, workers=args.workers, rebuild=args.overwrite,
                              progress=True)  # fmt: skip
    print(f"store     {summary.store}\nepisodes  {summary.episodes}\nframes    {summary.frames:,}")
    print(f"hash      {summary.hash}")


def _smbdataset(args: argparse.Namespace, reader: HstReader, parts: list[Part]) -> None:
    from ..codec.jobs.decode import name_of, remove_unfinished, write_recordings

    if args.resume:
        parts = [part for part in parts if not (args.out / name_of(reader, part.position)).exists()]
    with keeping(args.out, _key(args)) as journal, _bar(parts) as bar:
        remove_unfinished(reader, parts, args.out)
        original = write_recordings(reader, parts, args.out, args.workers, bar.update, overwrite=args.overwrite,
                                    kept=journal.folder)  # fmt: skip
    files = sum(len(part.rows) for part in parts)
    print(f"{len(parts)} episodes, {files:,} files in {args.out}; {original:,} named and packed as they were")


def _png(args: argparse.Namespace, reader: HstReader, parts: list[Part]) -> None:
    from ..codec.jobs.decode import name_of, shown, write_png

    with _bar(parts) as bar, resuming(args.out, args.overwrite, _key(args)) as journal:
        count = 0
        for part in parts:
            place = journal.folder if len(parts) == 1 else journal.folder / name_of(reader, part.position)
            start, note = len(journal.done.get(str(part.position), ())), partial(_note, journal, part)
            bar.update(start)
            frames = shown(reader, part, args.fps, args.blend, start)
            count += write_png(frames, place, bar.update, numbered=args.fps is None, start=start, note=note)
    print(f"{count:,} pictures in {args.out}")


def _film(args: argparse.Namespace, reader: HstReader, parts: list[Part]) -> None:
    from ..codec.jobs.decode_film import write_as_film

    if len(parts) > 1:
        raise UsageError(f"a film shows one episode, {len(parts)} are meant: give --episode NAME or --frames A:B")
    if args.out == STDOUT:
        _film_to_stdout(args, reader, parts[0])
        return
    if args.to == "mp4" and not args.out.suffix:
        raise UsageError(f"{args.out}: give a name that ends in .mp4, or in that of another kind of film")
    with keeping(args.out, _key(args)) as journal, _kept(reader, journal) as again, _bar(parts) as bar:
        lines = write_as_film(again, parts[0], args.out, args.fps, args.blend, bar.update)
        count = bar.n
    print(f"{count:,} pictures in {args.out}")
    for line in lines:
        print(f"  {line}")


def _film_to_stdout(args: argparse.Namespace, reader: HstReader, part: Part) -> None:
    film = reader.groups.film(part.position)
    if film is None or args.fps is not None or len(part.rows) != reader.frames(part.position):
        raise UsageError("-: the file of a film that was kept as it is goes to stdout; anything else needs a name")
    for piece in film.file():
        sys.stdout.buffer.write(piece)


def _npz(args: argparse.Namespace, reader: HstReader, parts: list[Part]) -> None:
    from ..codec.jobs.decode import name_of, write_npz

    if len(parts) == 1 and args.out.suffix != ".npz":
        raise UsageError(f"{args.out}: give the name of a file that ends in .npz")
    with _bar(parts) as bar:
        if len(parts) == 1:
            with keeping(args.out, _key(args)) as journal, _kept(reader, journal) as again:
                write_npz(again, parts[0], args.out, bar.update)
        else:
            with resuming(args.out, args.overwrite, _key(args)) as journal:
                for part in parts:
                    if str(part.position) not in journal.done:
                        path = journal.folder / f"{name_of(reader, part.position)}.npz"
                        write_npz(reader, part, path, bar.update)
                        journal.note(str(part.position), [0], {})
    print(f"{sum(len(part.rows) for part in parts):,} frames in {args.out}")


def _key(args: argparse.Namespace) -> str:
    """Of this job: what is decoded, and how."""
    status = args.input.stat()
    source = [str(args.input.resolve()), status.st_size, status.st_mtime_ns]
    return key_of(source, args.to, args.frames, args.episode, args.fps, args.blend, args.checkpoint)


def _kept(reader: HstReader, journal: Journal) -> HstReader:
    """Another reader of the file, which keeps what it has decoded beside the output until that is finished."""
    from ..codec.session.reader import HstReader

    return HstReader(reader.path, keep=journal.folder, threads=reader.threads, **reader.options)


def _note(journal: Journal, part: Part, places: list[int]) -> None:
    journal.note(str(part.position), places, {})


_WRITERS = {"store": _store, "smbdataset": _smbdataset, "png": _png, "mp4": _film, "film": _film, "npz": _npz}
