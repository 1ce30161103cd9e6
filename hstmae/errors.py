"""Typed errors. Each is a user's problem with a remedy: the command line prints its text and exits with 2."""


class HstError(Exception):
    """Base of all expected failures. The message says what is wrong, where, and what to do."""

    exit_code = 2


class UsageError(HstError):
    """A command line that cannot be carried out as written."""


class ConfigError(HstError):
    """A configuration file or override with an unknown key, a wrong type or an impossible value."""


class DataError(HstError):
    """Input footage that cannot be read: a broken file, a wrong size, a missing folder."""


class StoreError(DataError):
    """A preprocessed store that is missing, incomplete or damaged."""


class GameError(HstError):
    """An unknown game, or state that does not fit the game's description."""


class CheckpointError(HstError):
    """A model or training checkpoint that is missing, damaged or does not fit the configuration."""


class CodecError(HstError):
    """Coded data that is damaged, of another version, or does not fit what it is decoded with."""


class RomError(CodecError):
    """Coded data needs a ROM, or an emulator, that is not here, or the one that is given is another one."""
