"""Pixels that need no network: what other frames show, and what a game's maps, tiles and objects look like."""
