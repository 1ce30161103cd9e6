"""Scenarios: recorded states, edited by the names of what they hold, drawn as new clips."""

from .drawing import Drawn, draw
from .edits import Edit, parse_edit
from .making import make_clips
from .programme import Programme, from_options, read_programme
from .rollout import check_rollout, roll_clips
from .scene import Others, Scene
from .writing import FORMS, check_form, read_scenarios, write_clips

__all__ = [
    "FORMS", "Drawn", "Edit", "Others", "Programme", "Scene", "check_form", "check_rollout", "draw", "from_options",
    "make_clips", "parse_edit", "read_programme", "read_scenarios", "roll_clips", "write_clips",
]  # fmt: skip
