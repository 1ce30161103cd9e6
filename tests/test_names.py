"""Names become ones that every file system takes, whatever they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstmae.names import MAX_BYTES, portable_name, portable_names

BAD = [
    *(".hidden",),
    *("", ".", "..", "...", " ", "a ", "a.", "a. .", " a", "a/b", "/etc/passwd", "..\\..\\x", "C:\\x", "a:b"),
    *("a\nb", "a\x00b", "a\x7fb", "a\tb", "a<b", "a>b", 'a"b', "a|b", "a?b", "a*b", "\udc80a", "a\u202eb", "a\u2028b"),
    *("CON", "con", "nul.txt", "Aux.tar.gz", "COM1", "lpt9.png", "PRN ", "CON .x", "com¹", "CONIN$", "x" * 300),
    *("é" * 200, "../../x", "a/../b", "\\\\server\\share", "~/x/y"),
]  # fmt: skip
GOOD = ["player_abcd_e0_1-1_win", "a b", "1", "é", "名前", "CONSOLE", "com10", "a.b.c", "x" * MAX_BYTES, "-x", "~"]


def is_portable(name: str) -> bool:
    stem = name.split(".")[0].rstrip().upper()
    devices = {
        "CON",
        "PRN",
        "AUX",
        "NUL",
        "CONIN$",
        "CONOUT$",
        *(f"{d}{k}" for d in ("COM", "LPT") for k in "0123456789¹²³"),
    }
    return (
        bool(name)
        and not set(name) & set('<>:"/\\|?*')
        and name.isprintable()
        and name == name.strip(" ").rstrip(".")
        and not name.startswith(".")
        and stem not in devices
        and len(name.encode("utf-8")) <= MAX_BYTES
    )


@pytest.mark.parametrize("name", BAD)
def test_a_bad_name_becomes_a_good_one(name):
    assert not is_portable(name)
    assert is_portable(portable_name(name))
    assert portable_name(portable_name(name)) == portable_name(name)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_stays(name):
    assert portable_name(name) == name


@given(st.text(st.characters(), max_size=300))
def test_any_text_becomes_a_good_name_once_and_for_all(name):
    assert is_portable(portable_name(name))
    assert portable_name(portable_name(name)) == portable_name(name)


def test_long_names_stay_apart():
    assert portable_name("x" * 300 + "a") != portable_name("x" * 300 + "b")


@pytest.mark.parametrize(
    "names",
    [
        ["a", "A"],
        ["a:b", "a_b"],
        ["a", "a", "a"],
        ["é", "e\u0301"],
        ["x" * 180, "X" * 180],
        ["a", "a~2", "A"],
        ["ﬁ", "fi"],
        BAD,
    ],
)
def test_names_that_a_file_system_takes_for_one_are_told_apart(names):
    given = portable_names(names)
    assert len({name.casefold() for name in given}) == len(names)
    assert all(map(is_portable, given))


def test_who_has_a_good_name_keeps_it():
    assert portable_names(["a:b", "a_b"]) == ["a_b~2", "a_b"]
