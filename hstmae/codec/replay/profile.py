"""The replay profile: what a console predicts costs nothing. Groups that it cannot predict are coded without it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...data.sources.finding import layout_of
from ...errors import CodecError, DataError, GameError, RomError
from ...games import get_game
from ...games.spec import GameSpec
from ..container.description import REPLAY_STREAM
from ..container.gop import Gop, GopShape
from ..lossless.kernel import Backend, backend
from ..lossless.profile import LosslessProfile
from ..lossless.tables import tables_for
from .encoder import ReplayEncoder
from .keys import KeyCoder, key_tables
from .nes import NesPredictor, emulator_version, read_program
from .parts import LOSSLESS
from .predictor import Predictor, Script

ROM_VARIABLE = "HSTMAE_ROM"
USUAL_SPACING = 1024  # frames from one group with key data to the next
_TOO_MUCH = 8  # where one frame in so many is wrong, a group is tried without the console


@lru_cache(maxsize=2)
def _console(rom: Path, size: int, changed: int) -> NesPredictor:
    return NesPredictor(rom)


def console_of(rom: str | Path) -> Predictor:
    """The machine that runs a ROM, one for the whole process. Raises CodecError where there is none."""
    path = Path(rom)
    try:
        status = path.stat()
    except OSError as error:
        raise RomError(f"{path}: cannot be read: {error.strerror}") from None
    return _console(path, status.st_size, status.st_mtime_ns)


def starts_of(game: GameSpec | None, level: str, rom: Path) -> list[Script]:
    """Scripts after which an episode of a level may begin."""
    if game is None:
        return []
    script = _beginning(game.name, level, rom, rom.stat().st_mtime_ns)
    return [] if script is None else [script]


@lru_cache(maxsize=64)
def _beginning(game: str, level: str, rom: Path, changed: int) -> Script | None:
    layout = layout_of(get_game(game))
    try:
        movie = None if layout is None else layout.beginning(level, str(rom))
    except DataError:  # the ROM is another game
        movie = None
    return None if movie is None else Script.of(movie.actions.tobytes(), movie.pokes)


class ReplayProfile:
    """See `Profile`. Thread-safe but for the console, which `console` gives to one user at a time (see its lock).

    Args:
        game: registered game, for tables and for what its memory says; None or an unknown name: neither.
        rom: the user's ROM; None = the one that the variable HSTMAE_ROM names.
        spacing: frames from one group with key data to the next; groups between go on from the one before.
        bound: `tables` and `tables_sha256` of a description: what the groups to be decoded need. None: the ROM's own.
    Raises:
        RomError: no ROM and no `bound`.
        CodecError: the ROM is none, or `bound` are other tables than are here.
    """

    name = "replay"

    def __init__(
        self, game: str | None, rom: str | Path | None = None, spacing: int = USUAL_SPACING,
        bound: tuple[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.without = LosslessProfile(game, version=LOSSLESS)
        self.kernel: Backend = backend()
        self.spacing = spacing
        try:
            self._game = get_game(game) if game else None
        except GameError:
            self._game = None
        screens = key_tables(self._game.name if self._game else None)
        tables = tables_for(self._game.name if self._game else None, None, LOSSLESS)
        self.coder = KeyCoder(self.kernel, tables, screens, self._game)
        hashes = tables.sha256 + ("" if screens is None else screens.sha256)
        self._tables = hashlib.sha256(hashes.encode()).hexdigest()[:8]
        given = rom or os.environ.get(ROM_VARIABLE)
        self.rom = None if given is None else Path(given)
        if bound is None:
            if self.rom is None:
                raise RomError(f"profile 'replay' needs the game's ROM: give it with --rom FILE, or as {ROM_VARIABLE}")
            bound = self._name(emulator_version()), read_program(self.rom)
        self.tables_id, self.tables_sha256 = bound
        if self.tables_id.split()[-1:] != [self._tables]:
            raise CodecError(
                f"was coded with the tables '{self.tables_id}', here are '{self._name(emulator_version())}': decode it "
                "with the version of this program that made it"
            )

    def _name(self, emulator: str) -> str:
        return f"{self.without.tables_id} {emulator} {self._tables}"

    def console(self) -> Predictor:
        """The machine. Raises RomError where it is another one than the groups were coded with, or there is none."""
        wanted = self.tables_id.split()[-2]
        if self.rom is None:
            raise RomError(
                f"was coded with the game's own ROM (SHA-256 of what stands behind its header: {self.tables_sha256}): "
                f"give that with --rom FILE, or as {ROM_VARIABLE}"
            )
        if (program := read_program(self.rom)) != self.tables_sha256:
            raise RomError(
                f"{self.rom} is another ROM than the one that this was coded with: what stands behind its header has "
                f"the SHA-256 {program}, wanted is {self.tables_sha256}"
            )
        if (here := emulator_version()) != wanted:
            how = wanted.replace("-", "==", 1)
            raise RomError(f"was coded with the emulator {wanted}, here is {here or 'none'}: pip install '{how}'")
        return console_of(self.rom)

    def session(self, level: str) -> ReplaySession:
        """What codes the groups of one episode. Raises RomError as `console` does."""
        return ReplaySession(self, level)

    def encode(self, gop: Gop) -> dict[str, bytes]:
        """A group by itself, without the console."""
        return self.without.encode(gop)

    def decode(self, streams: Mapping[str, bytes], shape: GopShape) -> Gop:
        """A group that was coded without the console. Raises CodecError for others, and as the lossless profile."""
        return self.without.decode(streams, shape)

    def decode_first(self, streams: Mapping[str, bytes], shape: GopShape, count: int) -> Gop:
        """Its first `count` frames."""
        return self.without.decode_first(streams, shape, count)


class ReplaySession:
    """The groups of one episode on their way into streams.

    Attributes:
        predicted: frames of which the console had memory and picture right.
    """

    streams = ("ACTN", "PICT", REPLAY_STREAM, "STAT")

    def __init__(self, profile: ReplayProfile, level: str) -> None:
        self._profile, self.predicted = profile, 0
        self._console = profile.console()
        assert profile.rom is not None
        starts = starts_of(profile.coder.game, level, profile.rom)
        self._encoder = ReplayEncoder(self._console, profile.coder, profile.kernel, starts, profile.spacing)

    def encode(self, gop: Gop, numbers: np.ndarray) -> dict[str, bytes]:
        """Streams of a group: "ACTN" and "RPLY", or those of the lossless profile, whichever is smaller where the
        console has much wrong. `numbers`: int32 [T] of the recorder."""
        plain = self._profile.without
        if not self._encoder.fits(gop):
            self._encoder.forget()
            return plain.encode(gop)
        with self._console.lock:
            packed, wrong = self._encoder.encode(gop, numbers)
        if wrong * _TOO_MUCH > len(numbers):
            streams = plain.encode(gop)
            if sum(len(streams[name]) for name in ("STAT", "PICT")) <= len(packed):
                self._encoder.forget()
                return streams
        self.predicted += max(len(numbers) - wrong, 0)
        assert gop.actions is not None
        return {"ACTN": self._profile.coder.pack_buttons(gop.actions), REPLAY_STREAM: packed}
