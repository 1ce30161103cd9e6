"""What a store keeps of how an episode was made, beside its signature and problems: JSON values by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .manifest import EPISODES
from .writer import SOURCE

SCENARIO = "scenario"  # how a clip was edited, see `hstmae.scenarios`
SCENARIOS = "scenarios"  # in other formats: those of all episodes by name


def scenarios_of(store: Path, names: list[str]) -> dict[str, Any]:
    """How the episodes of a store were edited, of those that were."""
    found: dict[str, Any] = {}
    for name in names:
        try:
            value = json.loads((store / EPISODES / name / SOURCE).read_bytes()).get(SCENARIO)
        except (OSError, ValueError, AttributeError):  # it only says where the clip is from
            continue
        if isinstance(value, dict):
            found[name] = value
    return found
