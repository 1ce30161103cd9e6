"""Names that smbdataset recorders give to folders and files, and which files make an episode.

Folder: `[<user>_]<session>_e<episode>_<world>-<level>[_<outcome>]`; frame: the same with `_f<frame>_a<action>_<time>`
before `.<outcome>.png`. The recorder writes Windows' paths: on Linux a file's whole path, backslashes included, becomes
its name, and the files of all episodes lie side by side where FCEUX was started.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ....inputs.junk import in_junk

_EPISODE = r"(?:(?P<user>.+)_)?(?P<session>[^_]+)_e(?P<episode>\d{1,9})_(?P<world>\d{1,3})-(?P<level>\d{1,3})"
EPISODE_FOLDER = re.compile(_EPISODE + r"(?:_(?P<outcome>win|fail))?")
_FILE = re.compile(
    _EPISODE + r"_f(?P<frame>\d{1,10})_a(?P<action>\d{1,3})_(?P<time>\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d)"
    r"(?:\.(?P<outcome>win|fail))?\.png",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"[\\/]")

File = tuple[str, int, int]  # path inside its folder, bytes, time or checksum
Key = tuple[str, str, int]  # user, session, number of the episode


@dataclass(frozen=True)
class Names:
    """What an episode's name, or a frame's, states."""

    user: str
    session: str
    episode: int
    level: str
    outcome: str

    @staticmethod
    def of(match: re.Match[str]) -> Names:
        level = f"{int(match['world'])}-{int(match['level'])}"
        outcome = (match["outcome"] or "cut").lower()
        return Names(match["user"] or "", match["session"], int(match["episode"]), level, outcome)

    @staticmethod
    def of_folder(name: str) -> Names:
        """Raises ValueError for a name that no recorder gives to a folder."""
        match = EPISODE_FOLDER.fullmatch(name)
        if match is None:
            raise ValueError(name)
        return Names.of(match)

    @property
    def key(self) -> Key:
        return self.user, self.session, self.episode

    def __str__(self) -> str:
        return f"{self.user}_{self.session}_e{self.episode}" if self.user else f"{self.session}_e{self.episode}"

    @property
    def folder(self) -> str:
        """The name that the recorder gives to the folder of an episode."""
        return f"{self}_{self.level}" + ("" if self.outcome == "cut" else f"_{self.outcome}")


def own_name(path: str) -> str:
    """The last part of a path, whichever separator it was written with."""
    return _SEPARATOR.split(path)[-1]


def frame_name(path: str) -> re.Match[str] | None:
    """The parts of a frame's name; None for a file of another name."""
    return _FILE.fullmatch(own_name(path))


def is_frame_name(path: str) -> bool:
    """Whether a file is named as the frames of this data set are."""
    return frame_name(path) is not None


@dataclass(frozen=True)
class Group:
    """The files of one episode.

    Attributes:
        folder: where they lie below the input, "" = the input itself.
        files: PNG files by their path in `folder`, sorted.
        others: names of everything else in there.
        title: name of an episode that is not all that its folder holds, or not in one folder; "" = the folder's name.
    """

    folder: str
    files: tuple[File, ...]
    others: tuple[str, ...]
    title: str = ""


def group_files(folders: Iterable[tuple[str, list[File], list[str]]]) -> list[Group]:
    """The episodes of a tree of files.

    Args:
        folders: of each folder its path below the input ("" for the input itself, "/" between the parts), its PNG
            files, and the names of everything else in there. Junk is left out here.
    Returns:
        In the order of the folders. The files of one folder that belong to one session and number, or to none, are one
        episode. So are those of folders beside each other with one session and number and no frame in common: the
        recorder starts another folder when the world changes within an episode.
    """
    groups: list[Group] = []
    joinable: dict[tuple[str, Key], list[int]] = {}  # groups in a folder, or right below it
    for path, files, others in folders:
        kept = sorted(file for file in files if not in_junk(_SEPARATOR.sub("/", file[0])))
        apart = _by_key(kept)
        rest = tuple(sorted(name for name in others if not in_junk(name)))
        for key, own in apart.items():
            match = EPISODE_FOLDER.fullmatch(posixpath.basename(path))
            named = match is not None and Names.of(match).key == key
            shared = not named and (len(apart) > 1 or any("\\" in file[0] for file in own))
            group = Group(path, tuple(own), rest, _title(own) if shared and key is not None else "")
            rest = ()  # told once
            if key is None:
                groups.append(group)
                continue
            above = path.rpartition("/")[0]
            beside = joinable.get((above, key), [])
            partner = next((at for at in beside if not _numbers(groups[at]) & _numbers(group)), None)
            if partner is not None:
                groups[partner] = _joined(groups[partner], group)
                continue
            for place in {path, above}:
                joinable.setdefault((place, key), []).append(len(groups))
            groups.append(group)
    return groups


def _by_key(files: list[File]) -> dict[Key | None, list[File]]:
    """Files by the episode that their names state; those that state none belong to the largest."""
    found: dict[Key | None, list[File]] = {}
    for file in files:
        match = frame_name(file[0])
        found.setdefault(Names.of(match).key if match else None, []).append(file)
    if None in found and len(found) > 1:
        strange = found.pop(None)
        largest = max(found.values(), key=len)
        largest[:] = sorted([*largest, *strange])
    return found


def _title(files: Iterable[File]) -> str:
    matches = [match for name, _, _ in files if (match := frame_name(name))]
    first = Names.of(min(matches, key=lambda match: int(match["frame"])))
    return replace(first, outcome=usual_outcome(matches)).folder


def usual_outcome(matches: Iterable[re.Match[str]]) -> str:
    """What most of those names state that state an outcome at all: "cut" where none does."""
    found = Counter(match["outcome"].lower() for match in matches if match["outcome"])
    return found.most_common(1)[0][0] if found else "cut"


def _numbers(group: Group) -> set[int]:
    return {int(match["frame"]) for name, _, _ in group.files if (match := frame_name(name))}


def _joined(first: Group, second: Group) -> Group:
    """Two parts of an episode from different folders, as files of the folder above."""
    above = posixpath.commonpath([first.folder, second.folder]) if first.folder and second.folder else ""

    def moved(group: Group) -> list[File]:
        inside = group.folder[len(above) :].lstrip("/")
        return [(f"{inside}/{name}" if inside else name, size, stamp) for name, size, stamp in group.files]

    files = tuple(sorted([*moved(first), *moved(second)]))
    return Group(above, files, first.others + second.others, _title(files))
