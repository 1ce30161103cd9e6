"""The `hstmae` command: one verb per job, each a module of `hstmae.commands` that is imported only when it is used."""

import contextlib
import difflib
import errno
import os
import select
import sys
from collections.abc import Sequence

from . import __version__
from .commands import VERBS, command_of, one_line, parser_of
from .early import check_inputs, inputs_of
from .errors import HstError
from .inputs.unpacking import as_given
from .output import STDOUT, check_outputs, report_alone, writing_alone
from .remote.files import url_of
from .signals import Stopped, stopping

EXIT_USAGE = 2
EXIT_INTERRUPTED = 128 + 2  # as if by SIGINT
EXIT_PIPE = 128 + 13  # as if by SIGPIPE

# Failures of the machine or of a path rather than of the program, and what helps.
_REMEDIES = {
    errno.ENOSPC: "free some space, then run the same command again",
    errno.EDQUOT: "free some space in your quota, then run the same command again",
    errno.EFBIG: "write to a file system without this size limit",
    errno.EROFS: "choose an output folder that can be written",
    errno.EACCES: "check the permissions, or choose another folder",
    errno.EPERM: "check the permissions, or choose another folder",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path: a folder is needed here",
    errno.EISDIR: "check the path: a file is needed here",
    errno.EEXIST: "choose another path, or move what is there away",
    errno.ENOTEMPTY: "choose another path, or move what is there away",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.ELOOP: "check the path: its links run in a circle",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EIO: "check the disk",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit status.

    0 done; 2 bad input or usage, told in one line on stderr; 130 interrupted. Unexpected exceptions pass through: they
    are defects, and their traceback is wanted.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a file name the terminal cannot show must not end a run
            stream.reconfigure(errors="backslashreplace")
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as stop:
        print("interrupted" if not isinstance(stop, Stopped) else f"stopped by {stop}", file=sys.stderr)
        return 128 + stop.number if isinstance(stop, Stopped) else EXIT_INTERRUPTED
    except BrokenPipeError:
        if not _reader_gone():
            raise
        return EXIT_PIPE


def _dispatch(args: list[str]) -> int:
    if not args:
        print(_overview(), file=sys.stderr)
        return EXIT_USAGE
    if args[0] == "help" and len(args) == 2:  # as "VERB --help"
        args = [args[1], "--help"]
    verb, rest = args[0], args[1:]
    if verb in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if verb in ("-V", "--version"):
        print(f"hstmae {__version__}")
        return 0
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, 1, 0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"verbs: {', '.join(VERBS)}"
        print(f"hstmae: error: unknown verb '{verb}'; {hint}", file=sys.stderr)
        return EXIT_USAGE
    command = command_of(verb)
    try:
        parsed = parser_of(verb).parse_args(rest)
    except SystemExit as stop:  # argparse has printed the help or what is wrong
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    try:
        with contextlib.ExitStack() as stack:
            if any(url_of(word) is not None for word in rest):
                from .remote.staging import staged

                stack.enter_context(staged(parsed, command.outputs(parsed) if hasattr(command, "outputs") else []))
            check_inputs(verb, parsed)
            outputs = command.outputs(parsed) if hasattr(command, "outputs") else []
            if hasattr(command, "outputs"):
                check_outputs(outputs, parsed.overwrite, inputs_of(parsed))
            stack.enter_context(stopping())
            stack.enter_context(writing_alone(outputs))
            if getattr(parsed, "json", None) == str(STDOUT):
                stack.enter_context(report_alone())
            if ".py" in (getattr(parsed, "game", None) or ""):  # a file of the user's: run, and known from now on
                from .games import use_game

                parsed.game = use_game(parsed.game)
            code: int = command.run(parsed)
        return code
    except HstError as error:
        print(f"hstmae {verb}: error: {one_line(as_given(str(error)))}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        names = dict.fromkeys(name for name in (error.filename, error.filename2) if name is not None)
        where = "".join(f"{name}: " for name in names)
        print(one_line(f"hstmae {verb}: error: {where}{error.strerror}; {_REMEDIES[error.errno]}"), file=sys.stderr)
        return EXIT_USAGE


def _overview() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {command_of(verb).HELP}" for verb in VERBS)
    return (
        "usage: hstmae VERB [options]\n\nRestores masked or damaged game footage.\n\n"
        f"verbs:\n{verbs}\n\n"
        "'hstmae VERB --help' or 'hstmae help VERB' tells more, with examples; 'hstmae --version' prints the version."
    )


def _reader_gone() -> bool:
    """Whether whoever read our output has left (`hstmae ... | head -1`); if so, silence what is still buffered."""
    gone = False
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # replaced streams may have no file descriptor
            descriptor = stream.fileno()
            if _write_end_is_dead(descriptor):
                os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
                gone = True
    return gone


def _write_end_is_dead(descriptor: int) -> bool:
    if not hasattr(select, "poll"):  # Windows
        return True
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
