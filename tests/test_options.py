"""Options that take numbers, of all verbs as their parsers list them: what is out of range is refused at once."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import pytest

from hstmae import cli
from hstmae.codec.container.chunks import MAX_GOP
from hstmae.commands import parser_of
from hstmae.commands.options import Number

NEVER = ("", "x", "nan", "NaN", "inf", "-inf", "1e400", "0x10", "1,5", "1" * 30, "-" + "1" * 30, "1 2")


def options() -> Iterator[tuple[str, argparse.Action]]:
    """(verb, option) of everything that has a type of its own."""
    for verb in cli.VERBS:
        for action in parser_of(verb)._actions:
            if action.type is not None:
                yield verb, action


NUMBERS = [(verb, action) for verb, action in options() if isinstance(action.type, Number)]
NAMES = [f"{verb} {action.option_strings[0]}" for verb, action in NUMBERS]


def refused(verb: str, action: argparse.Action, text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line by which the command line refuses the option's value, given with "=" so that it may begin with -."""
    option = action.option_strings[0]
    given = [option, text] if action.nargs == "+" and not text.startswith("-") else [f"{option}={text}"]
    assert cli.main([verb, *given]) == 2
    return capsys.readouterr().err.splitlines()[-1]


def just_outside(number: Number) -> list[str]:
    small = number.step if number.whole else 1e-6
    outside = [number.least if number.above else number.least - small, -1e9]
    outside += [number.most if number.below else number.most + small, 1e12]
    return [str(int(value)) if number.whole else repr(float(value)) for value in outside]


def just_inside(number: Number) -> list[str]:
    small = number.step if number.whole else 1e-6
    inside = [number.least + (small if number.above else 0), number.most - (small if number.below else 0)]
    return [str(int(value)) if number.whole else repr(float(value)) for value in inside]


def test_no_number_of_any_verb_goes_unchecked() -> None:
    assert len(NUMBERS) >= 30
    assert [(verb, a.option_strings) for verb, a in options() if a.type in (int, float, complex)] == []


@pytest.mark.parametrize(("verb", "action"), NUMBERS, ids=NAMES)
def test_what_is_no_number_or_out_of_range_is_refused(verb, action, capsys) -> None:
    number = action.type
    wrong = [*NEVER, *just_outside(number), *(["1.5", "1e3"] if number.whole else [])]
    if number.step > 1:
        wrong.append(str(int(number.least) + 1))
    for text in wrong:
        line = refused(verb, action, text, capsys)
        assert f"hstmae {verb}: error: argument {'/'.join(action.option_strings)}: expected {number.wanted}" in line
        assert line.endswith(f"got '{text}'")


@pytest.mark.parametrize(("verb", "action"), NUMBERS, ids=NAMES)
def test_the_ends_of_the_range_and_the_default_are_right(verb, action) -> None:
    for text in just_inside(action.type):
        value = action.type(text)
        assert math.isfinite(value) and isinstance(value, int if action.type.whole else float)
    for value in action.default if isinstance(action.default, list) else [action.default]:
        if value:  # 0 and None stand for "not given"
            assert action.type(str(value)) == value


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["models", "--size", "10x16"], "argument --size: expected multiples of 16 up to 8192"),
        (["models", "--size", "16x99999999999"], "argument --size: expected multiples of 16"),
        (["models", "--size", "16x16x16"], "argument --size: expected multiples of 16"),
        (["models", "--variant", "huge"], "argument --variant: unknown model 'huge'; known: pico, nano, tiny"),
        (["decode", "--frames", "x:2"], "argument --frames: 'x:2' is not a:b"),
    ],
)
def test_numbers_inside_of_texts_are_checked_as_early(words, line, capsys) -> None:
    assert cli.main(words) == 2
    assert line in capsys.readouterr().err


def test_limits_that_stand_twice_are_the_same() -> None:
    from hstmae.commands import encode

    assert encode.MAX_GOP == MAX_GOP


def test_groups_beyond_the_limit_are_for_what_a_console_predicts(tmp_path, capsys) -> None:
    words = ["encode", "assets/sample_session", str(tmp_path / "x.hst"), "--gop", "1025"]
    assert cli.main(words) == 2
    assert "groups hold at most 1024 frames" in capsys.readouterr().err
