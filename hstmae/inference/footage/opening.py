"""What `restore` takes: pictures, folders of them, films, stores, .hst files, archives of these, standard input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...data.pairing import refuse_lag
from ...data.sources.animation import AnimationEpisode
from ...data.sources.film import FilmEpisode
from ...data.sources.finding import layout_of
from ...data.sources.pictures import PicturesEpisode
from ...data.sources.side_file import find_side_file
from ...data.sources.video import FILMS, PICTURES, VideoOptions, find_videos
from ...data.store.manifest import is_store
from ...data.store.reader import EpisodeStore
from ...errors import DataError
from ...games import GameSpec, get_game
from ...inputs.junk import in_junk
from ...inputs.kinds import PICTURE_KINDS, described, file_kind
from ...inputs.unpacking import STDIN, as_folder
from ...names import alike, portable_name
from ...pictures.animated import is_animated
from .animation import Animation
from .base import RESERVED, Footage
from .files import PictureFiles
from .film import Film
from .memory import settle
from .stored import StoreFootage


def open_footage(
    path: Path, game: str, with_state: bool = True, strict: bool = False, lag: int | None = None
) -> Iterator[Footage]:
    """The sequences of an input: one for a file or a folder of frames, one per folder, film or episode otherwise, by
    names of folders that every file system takes, no two alike.

    Args:
        path: a picture, a film, a folder with such in it or below it, a store, a .hst file, an archive of these, or
            "-" for one of them from standard input; for a game without a palette also animations.
        game: registered name of the game that the footage shows.
        with_state: False leaves memory that is appended to PNG files, and side files, unread.
        strict: a picture that cannot be read, or a damaged frame of a film, is an error; else everything of it is
            missing.
        lag: between memory and pictures in files, see `data.pairing`; None = found for each folder.
    Raises:
        UsageError: a lag for what holds pictures with the memory that belongs to them.
        DataError: nothing there that can be restored.
    """
    found, taken = list(_found(path, get_game(game), with_state, strict, lag)), set[str]()
    for footage in found:
        parts = [portable_name(part) for part in footage.name.split("/") if part]
        name = plain = "/".join(f"{part}~2" if part.casefold() in RESERVED else part for part in parts)
        number = 1
        while alike(name) in taken:
            number += 1
            name = f"{plain}~{number}"
        taken.add(alike(name))
        footage.name = name
    return iter(found)


def _found(path: Path, game: GameSpec, with_state: bool, strict: bool, lag: int | None) -> Iterator[Footage]:
    """What `open_footage` gives, by names that may be alike or that some file system does not take."""
    if path != STDIN and not path.exists():
        raise DataError(f"{path}: no such file or folder")
    path = as_folder(path)
    if is_store(path) or (path.is_file() and file_kind(path) == "hst"):
        refuse_lag(path, lag)
    if is_store(path):
        store = EpisodeStore(path)
        if store.game != game.name:
            raise DataError(f"{path}: is a store of '{store.game}', not of '{game.name}'; give a --checkpoint for that")
        for episode in range(len(store)):
            yield StoreFootage(store, episode, strict)
    elif path.is_file() and file_kind(path) == "hst":
        from .coded import open_coded  # the codec, which nothing else here needs

        yield from open_coded(path, game.name)
    elif path.is_file() and file_kind(path) in PICTURE_KINDS and (game.indexed or not is_animated(path)):
        yield PictureFiles("", [path], game, with_state, strict=strict, lag=lag)
    else:
        yield from (_palette_folders if game.indexed else _true_colour)(path, game, with_state, strict, lag)


def _palette_folders(path: Path, game: GameSpec, with_state: bool, strict: bool, lag: int | None) -> Iterator[Footage]:
    if path.is_file():
        if file_kind(path) != "film":
            raise DataError(f"{path}: {described(path)}; {_way_out(path, game)}")
        yield _palette_film("", path, game, with_state, strict)
        return
    folders: dict[Path, list[Path]] = {}
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() in PICTURES and not in_junk(file.relative_to(path).as_posix()) and file.is_file():
            folders.setdefault(file.parent, []).append(file)
    films = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in FILMS and file_kind(file) == "film"]
    films = [file for file in films if not in_junk(file.relative_to(path).as_posix())]
    if not folders and not films:
        raise DataError(f"{path}: {described(path)}; {_way_out(path, game)}")
    for film in films:
        yield _palette_film(film.relative_to(path).with_suffix("").as_posix(), film, game, with_state, strict)
    found = []
    for folder, files in folders.items():
        name, side = _name(folder, path), _side(folder, game, with_state)
        for title, own in _apart(files, game).items():
            named = "/".join(filter(None, (name, title)))
            found.append(PictureFiles(named, own, game, with_state, side, strict, lag))
    settle([footage.memory for footage in found if footage.memory is not None])
    yield from found


def _palette_film(name: str, path: Path, game: GameSpec, with_state: bool, strict: bool) -> Film:
    """A film that shows the game, at whatever size. Raises DataError where it shows something else."""
    side = _side(path.with_suffix(""), game, with_state)
    try:
        return Film(name, FilmEpisode(name or path.stem, path, 0, side, game.state_size or None), game, strict)
    except DataError as error:
        raise DataError(f"{error}; {_way_out(path, game)}") from None


def _apart(files: list[Path], game: GameSpec) -> dict[str, list[Path]]:
    """The pictures of a folder by the recorded episode that their names state, as of `Layout.apart`."""
    layout, by_name = layout_of(game), {file.name: file for file in files}
    parts = {"": list(by_name)} if layout is None else layout.apart(by_name)
    return {title: [by_name[name] for name in names] for title, names in parts.items()}


def _way_out(path: Path, game: GameSpec) -> str:
    """What to do about an input in which a model of a palette game finds nothing."""
    looked = f"looked for a film or pictures ({' '.join(PICTURES)}) that show '{game.name}', a store or a .hst file"
    files = [path] if path.is_file() else path.rglob("*")
    if any(file.suffix.lower() in FILMS for file in files):
        return f"{looked}. Other films are restored by motion recall: leave out --game and --checkpoint"
    return looked


def _true_colour(path: Path, game: GameSpec, with_state: bool, strict: bool, lag: int | None) -> Iterator[Footage]:
    kind = file_kind(path) if path.is_file() else "film"
    if kind != "film" and not (kind == "" and path.suffix.lower() in FILMS) and not is_animated(path):
        raise DataError(
            f"{path}: {described(path)}; looked for a picture ({' '.join(PICTURES)}), a film ({' '.join(FILMS)}), a "
            "store, a .hst file or an archive of these"
        )
    for episode in find_videos(path, VideoOptions(), game.state_size or None):
        if isinstance(episode, FilmEpisode):
            yield Film("" if path.is_file() else episode.name, episode, game, strict)
        elif isinstance(episode, AnimationEpisode):
            yield Animation("" if path.is_file() else episode.name, episode.path)
        elif isinstance(episode, PicturesEpisode):
            folder = episode.folder
            files, side = [folder / file for file in episode.files], _side(folder, game, with_state)
            yield PictureFiles(_name(folder, path), files, game, with_state, side, strict, lag)


def _name(folder: Path, inside: Path) -> str:
    return "" if folder == inside else folder.relative_to(inside).as_posix()


def _side(folder: Path, game: GameSpec, with_state: bool) -> Path | None:
    return find_side_file(folder.resolve()) if with_state and game.state_size else None
