"""Configuration: strict reading, useful errors, nothing lost on the way to YAML and back."""

from __future__ import annotations

import math
import string
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hstmae.bundled import CONFIGS
from hstmae.config import (
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    apply_overrides,
    from_dict,
    load_config,
    load_yaml,
    save_config,
    to_dict,
)
from hstmae.errors import ConfigError

# Text that YAML rules old and new like to read as something else, beside arbitrary text.
TRAPS = [
    "off",
    "no",
    "yes",
    "1e-4",
    "1e5",
    ".5",
    "1_000",
    "010",
    "0x1f",
    "null",
    "~",
    "",
    "2001-01-01",
    "1:30",
    "<<",
    "\x85",
    "a\x85b",
    "a\r\nb",
]
TEXT = st.sampled_from(TRAPS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INTS = st.integers(-(2**63), 2**63)


def builds(cls: type, **more: st.SearchStrategy) -> st.SearchStrategy:
    kinds = {
        "str": TEXT,
        "int": INTS,
        "float": FLOATS,
        "tuple[str, ...]": st.lists(TEXT, max_size=3).map(tuple),
        "tuple[int, ...]": st.lists(INTS, max_size=3).map(tuple),
        "tuple[float, ...]": st.lists(FLOATS, max_size=3).map(tuple),
        "tuple[float, float]": st.tuples(FLOATS, FLOATS),
    }
    named = {name: kinds[hint] for name, hint in cls.__annotations__.items() if hint in kinds}
    return st.builds(cls, **named, **more)


RUNS = builds(RunConfig, model=builds(ModelConfig), data=builds(DataConfig), train=builds(TrainConfig))


@given(RUNS)
def test_dict_round_trip(config):
    assert from_dict(RunConfig, to_dict(config)) == config


@given(RUNS)
def test_yaml_round_trip(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("yaml") / "run.yaml"
    save_config(config, path)
    assert load_config(path) == config
    assert [p.name for p in path.parent.iterdir()] == ["run.yaml"]  # no temporary file stays


@given(RUNS)
def test_saved_yaml_keeps_its_text_for_other_readers(tmp_path_factory, config):
    """What is text here must be text under the older YAML rules, too."""
    path = tmp_path_factory.mktemp("yaml") / "run.yaml"
    save_config(config, path)
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["data"]["store"] == config.data.store


@given(st.sampled_from(["train.lr", "train.betas", "train.batch", "train.amp", "model.dims"]), TEXT)
def test_any_override_is_taken_or_refused_by_name(key, text):
    try:
        result = apply_overrides(RunConfig, {}, [f"{key}={text}"])
    except ConfigError as error:
        assert key in str(error)
    else:
        assert isinstance(result, RunConfig)
        assert from_dict(RunConfig, to_dict(result)) == result


def write(folder: Path, text: str, name: str = "run.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        load_config(write(folder, text), overrides)
    return str(error.value)


def test_a_file_may_hold_only_what_differs(tmp_path):
    config = load_config(write(tmp_path, "train:\n  batch: 3\nmodel:\n  # nothing here yet\n"))
    assert config == replace(RunConfig(), train=replace(TrainConfig(), batch=3))
    assert load_config(write(tmp_path, "")) == RunConfig()


@pytest.mark.parametrize(
    ("text", "value"), [("1e-4", 1e-4), ("1E+3", 1e3), ("3", 3.0), (".5", 0.5), ("-2.", -2.0), ("'1e-4'", 1e-4)]
)
def test_numbers(tmp_path, text, value):
    lr = load_config(write(tmp_path, f"train:\n  lr: {text}\n")).train.lr
    assert lr == value and type(lr) is float


def test_words_stay_words(tmp_path):
    config = load_config(write(tmp_path, "train:\n  amp: off\ndata:\n  val_levels: [1-1, 8-4]\n"))
    assert config.train.amp == "off"
    assert config.data.val_levels == ("1-1", "8-4")


@pytest.mark.parametrize(
    ("text", "needles"),
    [
        ("train:\n  lrr: 1\n", ["unknown key 'train.lrr'", "did you mean 'train.lr'?"]),
        ("lr: 1\n", ["unknown key 'lr'", "did you mean 'train.lr'?"]),
        ("data:\n  batch: 1\n", ["unknown key 'data.batch'", "did you mean 'train.batch'?"]),
        ("trian:\n  lr: 1\n", ["unknown key 'trian'", "did you mean 'train'?"]),
        ("zzz: 1\n", ["unknown key 'zzz'", "valid keys: model, data, train"]),
        ("1: 2\n", ["unknown key '1'"]),
        ("train: 5\n", ["train must be a section", "5 (int)"]),
        ("- 1\n", ["the file must be a section", "(list)"]),
        ("train:\n  batch: 1.0\n", ["train.batch must be a whole number", "1.0 (float)"]),
        ("train:\n  batch: true\n", ["train.batch must be a whole number", "True (bool)"]),
        ("train:\n  batch: 010\n", ["train.batch must be a whole number", "'010' (str)"]),
        ("train:\n  batch:\n", ["train.batch must be a whole number", "None (NoneType)"]),
        ("train:\n  lr: false\n", ["train.lr must be a number", "False (bool)"]),
        ("train:\n  lr: fast\n", ["train.lr must be a number", "'fast' (str)"]),
        ("train:\n  lr: .nan\n", ["train.lr must be a finite number"]),
        ("train:\n  lr: -.inf\n", ["train.lr must be a finite number"]),
        ("train:\n  lr: 1e999\n", ["train.lr must be a finite number"]),
        (f"train:\n  lr: {10**400}\n", ["train.lr must be a finite number"]),
        ("train:\n  amp: 16\n", ["train.amp must be text", "16 (int)"]),
        ("train:\n  betas: 0.9\n", ["train.betas must be a list"]),
        ("train:\n  betas: [0.9]\n", ["train.betas must be a list of 2 values"]),
        ("train:\n  betas: [0.9, x]\n", ["train.betas[1] must be a number"]),
        ("model:\n  dims: [48, 9.5]\n", ["model.dims[1] must be a whole number"]),
        ("data:\n  val_levels: [1-1, 3]\n", ["data.val_levels[1] must be text"]),
        ("train:\n  lr: 1\n  lr: 2\n", ["line 3", "key 'lr' is given twice"]),
        ("train: [\n", ["not valid YAML"]),
        ("train:\n\tlr: 1\n", ["line 2", "not valid YAML"]),
        ("? [a]\n: 1\n", ["not valid YAML"]),
        ("train: !!python/object:os.system {}\n", ["not valid YAML"]),
        ("train: &t\n  batch: *t\n", ["train.batch must be a whole number"]),
        ("a: \x01\n", ["not valid YAML"]),
    ],
)
def test_mistakes_in_a_file(tmp_path, text, needles):
    message = refusal(tmp_path, text)
    assert str(tmp_path / "run.yaml") in message
    for needle in needles:
        assert needle in message


def test_missing_and_unreadable_files(tmp_path):
    write(tmp_path, "", "mae_nano.yaml")
    with pytest.raises(ConfigError, match=r"no such configuration file; did you mean .*mae_nano\.yaml"):
        load_config(tmp_path / "mae_nanno.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_config(tmp_path / "bytes.yaml")


def test_a_section_can_be_a_file_of_its_own(tmp_path):
    write(tmp_path, "clip: 8\n", "clips.yaml")
    run = write(tmp_path, "data: clips.yaml\n")
    assert load_config(run).data == replace(DataConfig(), clip=8)
    assert load_config(run, ["data.crop=0"]).data == replace(DataConfig(), clip=8, crop=0)
    assert load_yaml(DataConfig, tmp_path / "clips.yaml").clip == 8
    write(tmp_path, "clipp: 8\n", "clips.yaml")
    with pytest.raises(ConfigError, match=r"clips\.yaml: unknown key 'clipp'; did you mean 'clip'"):
        load_config(run)


def test_overrides(tmp_path):
    path = write(tmp_path, "train:\n  batch: 3\n  lr: 1.0\n")
    config = load_config(
        path, ["train.lr=3e-4", "train.betas=.9,.99", "data.val_levels=[1-1, 2-2]", "train.out=2024", "train.amp=off"]
    )
    assert config.train == replace(TrainConfig(), batch=3, lr=3e-4, betas=(0.9, 0.99), out="2024", amp="off")
    assert config.data.val_levels == ("1-1", "2-2")
    assert load_config(path, ["data.val_levels=1-1"]).data.val_levels == ("1-1",)
    assert load_config(path, ["data.val_levels="]).data.val_levels == ()
    assert load_config(path, ["train.batch=4", "train.batch=5"]).train.batch == 5
    assert load_config(path, ["train.out=a=b"]).train.out == "a=b"


@pytest.mark.parametrize(
    ("override", "needles"),
    [
        ("train.lrr=1", ["'train.lrr=1'", "did you mean 'train.lr'?"]),
        ("lr=1", ["did you mean 'train.lr'?"]),
        ("train=1", ["'train' is a section"]),
        ("train.lr.x=1", ["unknown key 'train.lr.x'"]),
        ("train.lr", ["section.key=value"]),
        ("train.batch=x", ["train.batch must be a whole number", "'x' (str)"]),
        ("train.betas=0.9", ["train.betas must be a list of 2 values"]),
        ("train.lr=[", ["not valid YAML"]),
        ("=1", ["unknown key ''"]),
    ],
)
def test_mistakes_in_an_override(tmp_path, override, needles):
    message = refusal(tmp_path, "", override)
    assert f"override '{override}'" in message
    for needle in needles:
        assert needle in message


def test_a_mistake_of_the_file_is_not_blamed_on_the_override(tmp_path):
    message = refusal(tmp_path, "train:\n  batch: x\n", "train.lr=1")
    assert "run.yaml" in message and "override" not in message


@dataclass(frozen=True)
class Inner:
    flag: bool = False


@dataclass(frozen=True)
class Outer:
    pairs: tuple[tuple[int, float], ...] = ()
    inners: tuple[Inner, ...] = ()
    inner: Inner = field(default_factory=Inner)
    bad: dict = field(default_factory=dict)


def test_nested_types():
    assert from_dict(Outer, {"pairs": [[1, 2], (3, 4.5)], "inner": {"flag": True}}) == Outer(
        pairs=((1, 2.0), (3, 4.5)), inner=Inner(True)
    )
    assert to_dict(Outer(pairs=((1, 2.0),), inners=(Inner(),)))["inners"] == [{"flag": False}]
    assert from_dict(Outer, {"inners": [{"flag": True}]}).inners == (Inner(True),)
    with pytest.raises(ConfigError, match=r"spot: pairs\[0\]\[1\] must be a number"):
        from_dict(Outer, {"pairs": [[1, "x"]]}, "spot")
    with pytest.raises(ConfigError, match=r"inner\.flag must be true or false, got 1"):
        from_dict(Outer, {"inner": {"flag": 1}})
    with pytest.raises(TypeError, match="bad"):  # a programmer's mistake, not a user's
        from_dict(Outer, {"bad": {}})


def test_shipped_configurations(root):
    files = sorted(CONFIGS.glob("mae_*.yaml"))
    assert {"mae_nano.yaml", "mae_tiny.yaml"} <= {f.name for f in files}
    shared = load_yaml(DataConfig, CONFIGS / "dataset_config.yaml")
    for file in files:
        config = load_config(file)
        if config.model.head == "palette":  # those for true colour name a store of videos
            assert config.data == shared
        else:
            assert config.data.store != shared.store and config.model.game != "smb"
        assert config.model.name == "hst-" + file.stem.replace("_", "-")
        for dim, step in zip(config.model.dims, (config.model.head_dim,) * 4, strict=True):
            assert dim % step == 0  # whole attention heads
        assert math.isfinite(config.train.lr) and config.train.steps > 0
        assert set(config.train.out) <= set(string.ascii_lowercase + string.digits + "/-_")
    assert load_config(CONFIGS / "mae_nano.yaml").model == ModelConfig(places="scene")


def test_shipped_configurations_are_the_named_variants(root):
    from hstmae.models.zoo import VARIANTS

    for name in ("nano", "tiny"):
        assert load_config(CONFIGS / f"mae_{name}.yaml").model == VARIANTS[f"hst-mae-{name}"]
