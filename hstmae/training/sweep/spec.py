"""What a sweep varies: a YAML file with a run's configuration, a number of trials and a search space."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...bundled import find_config
from ...config import RunConfig, apply_overrides, load_config, to_dict
from ...configio import read_yaml
from ...errors import ConfigError
from ...limits import check_run

if TYPE_CHECKING:
    from optuna.trial import Trial

KINDS = ("log", "float", "int", "choices", "options")
Value = float | int | str


@dataclass(frozen=True)
class Parameter:
    """One dimension of the search, of a kind: log (a float, searched by its logarithm), float, int, choices (values of
    a key), or options (named sets of keys and values, as masking strategies are)."""

    name: str  # a dotted key of the configuration, or for kind "options" any name
    kind: str
    low: float = 0.0
    high: float = 0.0  # both included
    values: dict[str, list[str]] = field(default_factory=dict)  # overrides of each choice or option, by its label

    def suggest(self, trial: Trial) -> Value:
        """What Optuna proposes for this trial: a number, or a label of `values`."""
        if self.values:
            return str(trial.suggest_categorical(self.name, list(self.values)))
        if self.kind == "int":
            return trial.suggest_int(self.name, int(self.low), int(self.high))
        return trial.suggest_float(self.name, self.low, self.high, log=self.kind == "log")

    def overrides(self, value: Value) -> list[str]:
        """The `section.key=value` texts that a proposal stands for."""
        return self.values[str(value)] if self.values else [_override(self.name, value)]


@dataclass(frozen=True)
class SweepSpec:
    """One sweep. `base` is the run that trials vary, with every override of the sweep file in it."""

    base: RunConfig
    trials: int
    seed: int
    prune_after: int  # trials that are never pruned, before the others are compared with them; 0 = no pruning
    space: tuple[Parameter, ...]

    def trial_config(self, proposal: Mapping[str, Value], out: Path) -> RunConfig:
        """The run of one trial. Raises ConfigError where values do not go together."""
        overrides = [text for p in self.space for text in p.overrides(proposal[p.name])]
        config = apply_overrides(RunConfig, to_dict(self.base), [*overrides, f"train.out={out}"])
        _check(config)
        return config

    def identity(self) -> str:
        """What trials depend on, as JSON: trials of sweeps that differ in it must not be mixed."""
        base = to_dict(self.base)
        for key in ("out", "max_minutes", "threads", "device"):
            del base["train"][key]
        space = [[p.name, p.kind, p.low, p.high, p.values] for p in self.space]
        return json.dumps([base, self.seed, space], sort_keys=True)


def load_sweep(path: Path, overrides: Sequence[str] = ()) -> SweepSpec:
    """Read a sweep file.

    Its keys: `config` (a run's file, relative to this one), `set`, `trials`, `seed`, `prune_after` and `space`. Every
    end and every choice of the space is tried on the configuration at once, so mistakes show before training.

    Args:
        overrides: `section.key=value` on top of the file's `set`.
    Raises:
        ConfigError: the file, or one of its keys or values, is wrong: named with the nearest that is right.
    """
    path = find_config(path)
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must be key: value lines with config, trials and space")
    known = ("config", "set", "trials", "seed", "prune_after", "space")
    for key in data:
        if key not in known:
            raise ConfigError(f"{path}: unknown key '{key}'; valid keys: {', '.join(known)}")
    if not isinstance(data.get("config"), str):
        raise ConfigError(f"{path}: config must name the YAML file of a run")
    numbers = {key: data.get(key, default) for key, default in (("trials", 20), ("seed", 0), ("prune_after", 5))}
    for key, value in numbers.items():
        if type(value) is not int or value < (key == "trials"):
            raise ConfigError(f"{path}: {key} must be a whole number{' above 0' if key == 'trials' else ''}: {value!r}")
    fixed = data.get("set") or {}
    if not isinstance(fixed, dict):
        raise ConfigError(f"{path}: set must be lines of the form section.key: value")
    texts = [_override(str(key), value) for key, value in fixed.items()]
    base = load_config(path.parent / data["config"], [*texts, *overrides])
    entries = data.get("space")
    if not isinstance(entries, dict) or not entries:
        raise ConfigError(f"{path}: space must list what to vary, e.g. 'train.absolute_lr: {{log: [5.0e-4, 8.0e-3]}}'")
    space = tuple(_parameter(path, str(name), entry) for name, entry in entries.items())
    for parameter in space:
        for value in parameter.values or (parameter.low, parameter.high):
            texts = parameter.overrides(int(value) if parameter.kind == "int" else value)
            try:
                _check(apply_overrides(RunConfig, to_dict(base), texts))
            except ConfigError as problem:
                raise ConfigError(f"{path}: space, {parameter.name}: {problem}") from None
    return SweepSpec(base, numbers["trials"], numbers["seed"], numbers["prune_after"], space)


def _parameter(path: Path, name: str, entry: Any) -> Parameter:
    where = f"{path}: space, {name}"
    if not isinstance(entry, dict) or len(entry) != 1 or next(iter(entry)) not in KINDS:
        kinds = "{log|float|int: [low, high]}, {choices: [...]} or {options: {name: {section.key: value}}}"
        raise ConfigError(f"{where}: must be {kinds}, got {entry!r}")
    kind, value = next(iter(entry.items()))
    if kind == "options":
        if not isinstance(value, dict) or not value or not all(isinstance(v, dict) for v in value.values()):
            raise ConfigError(f"{where}: options must be names, each with lines of the form section.key: value")
        named = {str(label): [_override(str(k), v) for k, v in keys.items()] for label, keys in value.items()}
        return Parameter(name, kind, values=named)
    if kind == "choices":
        if not isinstance(value, list) or not value:
            raise ConfigError(f"{where}: choices must be a list of values")
        return Parameter(name, kind, values={_label(v): [_override(name, v)] for v in value})
    ends = [_number(v) for v in value] if isinstance(value, list) else []
    if len(ends) != 2 or None in ends or not float(ends[0] or 0) < float(ends[1] or 0):
        raise ConfigError(f"{where}: {kind} must be two numbers, the lower one first, got {value!r}")
    low, high = float(ends[0] or 0), float(ends[1] or 0)
    if kind == "log" and low <= 0:
        raise ConfigError(f"{where}: log needs numbers above 0, got {value!r}")
    if kind == "int" and not (low.is_integer() and high.is_integer()):
        raise ConfigError(f"{where}: int needs whole numbers, got {value!r}")
    return Parameter(name, kind, low, high)


def _check(config: RunConfig) -> None:
    check_run(config)


def _number(value: Any) -> float | None:
    """A finite number, also of a text such as 1e-3, which YAML does not take for one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _label(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _override(key: str, value: Any) -> str:
    return f"{key}={_label(value)}"
