"""Scenarios: recorded states, edited by the names of what they hold, drawn as new clips."""

from .drawing import Drawn, draw
from .edits import Edit, parse_edit

__all__ = ["Drawn", "Edit", "draw", "parse_edit"]
