"""Games written with Pyxel, described by what they draw with."""
