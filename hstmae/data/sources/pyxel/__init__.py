"""Recording games written with Pyxel."""
