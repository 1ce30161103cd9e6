"""What Super Mario Bros. has written into its memory, but not yet onto the screen.

The game leaves what is to be drawn in a buffer (0x300: bytes in use, from 0x301: records of an address of the screen,
a length, and that many bytes) and draws it before the next picture, except where something else is to be drawn first
(0x773 is not 0, mostly a column of the map): then digits and the colours of coins and ? blocks stay what they were for
a frame or more [map] [data]. Blocks wait as well, see `blocks`. When much has waited, drawing it takes too long, and
the picture begins a line late.
"""

from __future__ import annotations

import numpy as np

STEPS = 6  # of the colour cycle
BEGINS = STEPS  # instead of a step: the map's own colours may be shown, which no step has brought yet
_USED, _BUFFER, _ELSE, _STEP = 0x300, 0x301, 0x773, 0x6D4
_TOO_MUCH = 61  # bytes: 67 take too long, in 6 pictures of 6, and 60 do not, in none of 11 [data]
_ONE, _LENGTH = 0x40, 0x3F  # of a length byte: the same byte all along; how long
_GLOW = 0x3F0C  # where the four colours of the cycle lie
_STATUS = 0x2060  # tile row 3 of the screen that holds the status bar
_TIMER = 26  # its first column
_SCORE, _COINS, _TIME = range(2, 8), range(13, 15), range(26, 29)  # columns
_SINCE, _PLACES = 13, 3  # of `undrawn`: bits before the three counts, and bits of each of the first two
_MOST = 2**11 - 1  # of the third one, tens of points
PLAYER = 1 << 30  # the bit above them: the player's colours wait
_PLAYER = 0x3F10  # where these lie
_COIN, _POINTS = 200, 50  # what a coin brings, and at a level's end each unit of time
# Points that are shown in the air until they count: their kinds and timers, and the tens that each kind brings.
_FLOATING, _UNTIL, _COUNTS, _AGE = slice(0x110, 0x117), slice(0x12C, 0x133), 0x2A, 2
_TENS = (0, 10, 20, 40, 50, 80, 100, 200, 400, 500, 800)
_TICK, _FIRST = 0x787, 15  # frames (in 21 each) until the timer's next tick; at least this many: its first one


def undrawn(state: np.ndarray, columns: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """What waits in the buffer of state uint8 [T, 2048] while something else is drawn.

    Returns:
        int32 [T], bit i = the digit in columns[i] of tile row 3 (the status bar) waits, for at most 13 columns, and
        above these bits how many coins, units of time and tens of points are not shown yet (0 points: not known), and
        PLAYER; bool [T], a step of the colour cycle waits.
    """
    digits, glow = np.zeros(len(state), np.int32), np.zeros(len(state), bool)
    bit = {_STATUS + column: 1 << i for i, column in enumerate(columns[:_SINCE])}
    for t in np.flatnonzero(waits_in(state)):
        records = [(address, len(tiles)) for address, _, tiles in records_of(state[t].tobytes())]
        for address, count in records:
            glow[t] |= address == _GLOW
            digits[t] |= PLAYER * (address == _PLAYER)
            for place in range(address, address + count):
                digits[t] |= bit.get(place, 0)
        score, coins, time = (
            sum(a <= _STATUS + digits_[-1] < a + n for a, n in records) for digits_ in (_SCORE, _COINS, _TIME)
        )
        points = 0
        if score and score == coins:  # both are written, whichever of them changes
            points, others = _floating(state[t], score)
            coins -= others
            points += _COIN // 10 * coins
        elif score and score == time and not state[t, _TICK]:  # at a level's end the timer does not wait for ticks
            points = _POINTS // 10 * score
        most = (1 << _PLACES) - 1
        digits[t] |= (min(coins, most) | min(time, most) << _PLACES | min(points, _MOST) << 2 * _PLACES) << _SINCE
    return digits, glow


def waits_in(state: np.ndarray) -> np.ndarray:
    """Frames of state uint8 [T, 2048] in which the buffer is not drawn before the picture: bool [T]."""
    waits: np.ndarray = (state[:, _USED] > 0) & (state[:, _ELSE] > 0)
    return waits


def lines_down(state: np.ndarray) -> np.ndarray:
    """Lines by which the background of the pictures of state uint8 [T, 2048] is further down: int [T], 0 or 1."""
    return ((state[:, _ELSE] == 0) & (state[:, _USED] >= _TOO_MUCH)).astype(int)


def _floating(ram: np.ndarray, most: int) -> tuple[int, int]:
    """Tens of points that came to count in the last frames from numbers in the air, at most so many, and how many."""
    age = _COUNTS - ram[_UNTIL].astype(int)
    kind = ram[_FLOATING].astype(int)
    some = np.flatnonzero((age >= 0) & (age <= _AGE) & (kind > 0) & (kind < len(_TENS)))
    some = some[np.argsort(age[some], kind="stable")][:most]
    return sum(_TENS[kind[i]] for i in some), len(some)


def records_of(ram: bytes) -> list[tuple[int, int, bytes]]:
    """Address, kind and bytes of each record in the buffer; what lies down a column, or is one byte all along, with its
    first byte alone, or as many times."""
    found, at, end = [], _BUFFER, min(_BUFFER + ram[_USED], len(ram) - 2)
    while at < end and ram[at]:
        kind = ram[at + 2]
        count, held = kind & _LENGTH, 1 if kind & _ONE else kind & _LENGTH
        data = ram[at + 3 : at + 3 + held]
        shown = data[:1] if kind & 0x80 else data * count if kind & _ONE else data
        found.append((256 * ram[at] + ram[at + 1], kind, shown))
        at += 3 + held
    return found


def hold_digits(row: np.ndarray, waits: np.ndarray, columns: np.ndarray, blank: int, unknown: int) -> None:
    """Put back the digits that wait, in place: what the numbers were before what waits changed them; where that is not
    known, those of the frame before.

    Args:
        row: ids of the characters in tile row 3, int [T, 32], 1 + the digit; in order of time.
        waits: int [T], see `undrawn`; and the `columns` that its bits stand for.
        blank: id of a place without a digit.
        unknown: id for digits that wait in the first frame.
    """
    bits = np.arange(len(columns))
    for t in np.flatnonzero(waits):
        before = np.full(row.shape[1], unknown) if not t else row[t - 1].copy()
        since = int(waits[t]) >> _SINCE
        coins, time, points = (since >> k * _PLACES & most for k, most in enumerate((7, 7, _MOST)))
        shown = before[_TIMER] != blank and row[t, _TIMER] != blank
        for added, place, counted in ((-coins, _COINS, True), (time, _TIME, time and shown), (-points, _SCORE, points)):
            if counted:
                here = slice(place[0], place[-1] + 1)
                number = row[t, here].astype(np.int64) - 1
                number[number > 9] = 0  # a leading zero is blank
                scale = 10 ** np.arange(len(number))[::-1]
                digits = (number @ scale + added) // scale % 10
                before[here] = np.where(digits == number, row[t, here], digits + 1)
        old = columns[(waits[t] >> bits) & 1 > 0]
        row[t, old] = before[old]


def colour_step(state: np.ndarray, waits: np.ndarray) -> np.ndarray:
    """Step of the colour cycle that the picture shows: int32 [T], 0 .. 5, or BEGINS.

    A map begins with its own colours, at step 0, and no byte says whether the cycle has come to 0 since. What tells is
    the timer: all its first value, or not far into its first tick. state: uint8 [T, 2048]; waits: see `undrawn`.
    """
    step = state[:, _STEP].astype(np.int32)
    hundreds, tens, ones = (state[:, 0x7F8 + i] for i in range(3))
    begins = (hundreds >= 2) & (tens == 0) & ((ones == 1) | ((ones == 0) & (state[:, _TICK] >= _FIRST)))
    return np.where((step == 0) & begins, BEGINS, (step - waits) % STEPS).astype(np.int32)
