"""Frozen dataclasses <-> YAML, strictly: what a file says is either understood exactly or refused with its dotted key.

YAML is read the 1.2 way, because the older rules surprise: `off` and `no` stay words, `1e-4` is a number, dates are
text, and a key given twice is an error. A section may also be the name of another YAML file beside the first one.
"""

import difflib
import json
import math
import os
import re
import reprlib
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

from .atomic import write_text
from .bundled import CONFIGS, find_config, names
from .errors import ConfigError

T = TypeVar("T")
_kinds: Callable[[Any], dict[str, Any]] = cache(typing.get_type_hints)


@dataclass(frozen=True)
class Retired:
    """A key that files of earlier versions hold: it is read as the key `now`, or passed over where that is ""."""

    meant: str  # what it set
    now: str = ""


MAX_BYTES = 1 << 16  # of a file

RETIRED: dict[type[Any], dict[str, Retired]] = {}  # by the dataclass whose keys they were

_BOOL = re.compile(r"(true|True|TRUE|false|False|FALSE)\Z")
_NULL = re.compile(r"(~|null|Null|NULL|)\Z")
_INT = re.compile(r"([-+]?(0|[1-9][0-9_]*)|0x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(
    r"([-+]?(\.\d+|\d+\.\d*)([eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z"
)
_PLAIN = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


class Loader(yaml.SafeLoader):
    """SafeLoader with the scalar rules of YAML 1.2 and no duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"key '{key.value}' is given twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """SafeDumper which also quotes text that Loader would take for a number."""


Loader.yaml_implicit_resolvers = {}  # forget the 1.1 rules
# Tried in this order; the last argument holds the characters such a scalar can start with.
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("tTfF"))
Loader.add_implicit_resolver("tag:yaml.org,2002:null", _NULL, ["~", "n", "N", ""])
Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # PyYAML writes U+0085 into single quotes as it is, where every reader folds it to a space.
    style = '"' if any(c in text for c in "\n\r\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def to_dict(obj: Any) -> dict[str, Any]:
    """A dataclass as plain dicts, lists and scalars, ready for YAML or JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(obj)))
    return plain


def from_dict(cls: type[T], data: Any, where: str = "configuration") -> T:
    """Build the dataclass `cls` from plain data; keys that are missing keep their defaults.

    Args:
        cls: a dataclass whose fields are bool, int, float, str, tuples of those, or such dataclasses.
        data: mapping (None counts as empty).
        where: named in errors, e.g. the file.
    Raises:
        ConfigError: unknown key, wrong type, wrong length, or a number that is not finite.
    """
    return _Reader(cls, where).section(cls, data, "")


def load_yaml(cls: type[T], path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> T:
    """Read `path` as a `cls`, then apply overrides of the form `section.key=value`.

    Raises:
        ConfigError: the file is missing or not YAML, or its content or an override does not fit `cls`.
    """
    path = find_config(path)
    data = _sections(cls, read_yaml(path), path)
    from_dict(cls, data, str(path))  # report the file's own mistakes as the file's
    return apply_overrides(cls, data, overrides)


def save_config(obj: Any, path: str | os.PathLike[str]) -> None:
    """Write a dataclass as YAML, whole or not at all; `load_yaml` reads the equal object back."""
    write_text(path, yaml.dump(to_dict(obj), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


def read_yaml(path: str | os.PathLike[str], loader: type[Loader] = Loader) -> Any:
    """The plain data of a YAML file. Raises ConfigError when it is missing, unreadable or not YAML."""
    file = Path(path)
    if file.exists() and not file.is_file():
        raise ConfigError(f"{file}: cannot be read: is {'a folder' if file.is_dir() else 'no file'}; give a YAML file")
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{file}: larger than {MAX_BYTES >> 10} KiB: no configuration is")
        return yaml.load(file.read_text(encoding="utf-8"), Loader=loader)
    except FileNotFoundError:
        near = _nearest(file.name, [p.name for p in file.parent.glob("*.yaml")])
        hint = f"; did you mean '{file.parent / near}'?" if near else f"; bundled: {names(CONFIGS)}"
        raise ConfigError(f"{file}: no such configuration file{hint}") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: {_problem(error)}") from None


def _problem(error: Exception) -> str:
    """What is wrong with a YAML text, in one line."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"not valid YAML: {' '.join(str(error).split())}"
    return f"line {mark.line + 1}, column {mark.column + 1}: not valid YAML: {getattr(error, 'problem', error)}"


def _sections(cls: type[Any], data: Any, path: Path) -> Any:
    """Replace sections that are given as a file name by the content of that file."""
    if not isinstance(data, Mapping):
        return data
    out = dict(data)
    for name, kind in _kinds(cls).items():
        if is_dataclass(kind) and isinstance(out.get(name), str):
            file = path.parent / out[name]
            out[name] = to_dict(from_dict(typing.cast(Any, kind), read_yaml(file), str(file)))
    return out


def apply_overrides(cls: type[T], data: Any, overrides: Sequence[str]) -> T:
    """Build `cls` from plain data with `a.b=value` overrides on top; lists are `1,2` or `[1, 2]`.

    Raises:
        ConfigError: an override without `=`, with an unknown key or with a value of the wrong type.
    """
    made = from_dict(cls, data)
    data = to_dict(made)
    for text in overrides:
        where = f"override '{text}'"
        key, equals, value = text.partition("=")
        path = key.strip().split(".")
        if not equals:
            raise ConfigError(f"{where}: must look like section.key=value")
        reader = _Reader(cls, where)
        kind = reader.kind(path)
        target = data
        for part in path[:-1]:
            target = target[part]
        target[path[-1]] = _parse(kind, value.strip(), where)
        made = reader.section(cls, data, "")
    return made


def _parse(kind: Any, text: str, where: str) -> Any:
    """The plain data of an override's right-hand side, given the field's type."""
    try:
        value = yaml.load(text, Loader=Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{where}: value: {_problem(error)}") from None
    if kind is str and not isinstance(value, str):
        return text  # a name made of digits is still a name
    if typing.get_origin(kind) is tuple and not isinstance(value, list):
        item = typing.get_args(kind)[0]
        return [_parse(item, part.strip(), where) for part in text.split(",")] if text else []
    return value


class _Reader:
    """Turns plain data into a dataclass, with errors that name the place, the dotted key and the nearest valid key."""

    def __init__(self, root: type[Any], where: str) -> None:
        self.root = root
        self.where = where

    def section(self, cls: type[T], data: Any, prefix: str) -> T:
        if data is None:
            data = {}
        if not isinstance(data, Mapping):
            raise self.wrong(prefix.rstrip(".") or "the file", "a section (key: value lines)", data)
        kinds = _kinds(cls)
        names = [f.name for f in fields(typing.cast(Any, cls))]
        values = {}
        for key, value in data.items():
            old = RETIRED.get(cls, {}).get(key)
            name = key if old is None else old.now
            if name and (name in values or (name != key and name in data)):
                raise ConfigError(f"{self.where}: {prefix}{key} is {prefix}{name} by its earlier name; leave one out")
            if name and name not in names:
                raise self.unknown(prefix, str(key), names)
            if name:
                values[name] = self.value(kinds[name], value, prefix + name)
        return cls(**values)

    def value(self, kind: Any, value: Any, key: str) -> Any:
        if is_dataclass(kind):
            return self.section(typing.cast(Any, kind), value, key + ".")
        if typing.get_origin(kind) is tuple:
            args = typing.get_args(kind)
            if not isinstance(value, list | tuple):
                raise self.wrong(key, "a list", value)
            if args[-1] is Ellipsis:
                args = args[:1] * len(value)
            elif len(args) != len(value):
                raise self.wrong(key, f"a list of {len(args)} values", value)
            return tuple(self.value(a, v, f"{key}[{i}]") for i, (a, v) in enumerate(zip(args, value, strict=True)))
        if kind not in _PLAIN:
            raise TypeError(f"{key}: configuration fields cannot be of type {kind}")
        if kind is float:
            return self.number(value, key)
        if type(value) is not kind:  # exact on purpose: True is not a count
            raise self.wrong(key, _PLAIN[kind], value)
        return value

    def number(self, value: Any, key: str) -> float:
        if isinstance(value, str) and _FLOAT.fullmatch(value):
            value = float(value.lower().replace(".inf", "inf").replace(".nan", "nan"))
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, _PLAIN[float], value)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.wrong(key, "a finite number", value)
        return number

    def kind(self, path: list[str]) -> Any:
        """The type of the field at a dotted path, in which earlier names are replaced by today's."""
        kind: Any = self.root
        for depth, part in enumerate(path):
            kinds = _kinds(kind) if is_dataclass(kind) else {}
            old = RETIRED.get(kind, {}).get(part)
            if old is not None and not old.now:
                raise ConfigError(f"{self.where}: '{'.'.join(path)}' ({old.meant}) is no longer a key; leave it out")
            path[depth] = part = old.now if old is not None else part
            if part not in kinds:
                raise self.unknown("".join(p + "." for p in path[:depth]), part, list(kinds))
            kind = kinds[part]
        if is_dataclass(kind):
            keys = ", ".join(f"{'.'.join(path)}.{f.name}" for f in fields(kind)[:3])
            raise ConfigError(f"{self.where}: '{'.'.join(path)}' is a section; set one of its keys: {keys}, ...")
        return kind

    def wrong(self, key: str, expected: str, value: Any) -> ConfigError:
        got = f"{reprlib.repr(value)} ({type(value).__name__})"
        return ConfigError(f"{self.where}: {key} must be {expected}, got {got}")

    def unknown(self, prefix: str, key: str, names: list[str]) -> ConfigError:
        everywhere = _dotted(self.root)
        elsewhere = [k for k in everywhere if k.rsplit(".", 1)[-1] == key]
        near = _nearest(key, names)
        best = elsewhere[0] if elsewhere else prefix + near if near else _nearest(prefix + key, everywhere)
        hint = f"did you mean '{best}'?" if best else f"valid keys: {', '.join(prefix + n for n in names)}"
        return ConfigError(f"{self.where}: unknown key '{prefix}{key}'; {hint}")


def _dotted(cls: type[Any], prefix: str = "") -> list[str]:
    """Dotted names of all keys of a dataclass."""
    out = []
    for name, kind in _kinds(cls).items():
        out += _dotted(typing.cast(Any, kind), f"{prefix}{name}.") if is_dataclass(kind) else [prefix + name]
    return out


def _nearest(name: str, candidates: list[str]) -> str:
    """The candidate most like `name`, or "" when none is like it."""
    found = difflib.get_close_matches(name, candidates, 1, 0.6)
    return found[0] if found else ""
