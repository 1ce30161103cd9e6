"""Damaged input of every kind: only the package's own errors, bounded memory, bounded time.

HSTMAE_FUZZ_CASES sets the number of damaged inputs per reader (about a hundred otherwise; 100000 is the long form).
"""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import CASES, LENGTHS, attack, damaged
from synthetic_episodes import frame_file, make_episode, make_png, png_chunk, write_episodes

from hstmae.data import EpisodeStore
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.sources.png import read_png
from hstmae.data.sources.smb.tail import read_metadata
from hstmae.data.store.manifest import DATA, EPISODES, META, canonical, digest
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import Packing
from hstmae.errors import HstError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("fuzz")
    write_episodes(base / "in", make_episode(8, seed=1))
    preprocess(base / "in", base / "out", workers=1, packing=Packing(1, 4, 4), val_fraction=0.0)
    return base


def tail_of(folder: Path) -> bytes:
    (episode,) = (folder / "in").iterdir()
    data = frame_file(episode, 3).read_bytes()
    return data[data.index(b"IEND") + 8 :]


def test_metadata_behind_a_picture(folder: Path) -> None:
    tail = tail_of(folder)
    assert read_metadata(tail).repaired
    for cut in range(len(tail)):
        with pytest.raises(HstError):
            read_metadata(tail[:cut])
    assert attack(lambda case: read_metadata(damaged(tail, np.random.default_rng([1, case])))) > CASES // 4


def pictures() -> list[bytes]:
    """Small pictures on every way through the reader."""
    rows = b"".join(bytes([kind]) + bytes(range(7)) for kind in (0, 1, 2, 3, 4))
    plain = make_png(b"".join(b"\0" + bytes(range(7)) for _ in range(5)), width=7, height=5)
    return [
        plain + b"tail",
        make_png(rows, width=7, height=5),
        make_png(rows, width=7, height=5, interlace=1),
        make_png(bytes(5 * 2), width=7, height=5, depth=1),
    ]


def test_pictures() -> None:
    samples = pictures()
    assert read_png(samples[0], (5, 7)).pixels.shape == (5, 7)

    def read(case: int) -> None:
        rng = np.random.default_rng([2, case])
        read_png(damaged(samples[case % len(samples)], rng), (5, 7))

    assert attack(read) > CASES // 2


KINDS = b"tRNS gAMA pHYs iCCP zTXt iTXt tEXt acTL fcTL fdAT sRGB cHRM eXIf bKGD hIST tIME sBIT IDAT".split()


def test_pictures_with_whole_but_senseless_chunks() -> None:
    """Their checksums are right, so what they say has to be dealt with."""
    samples = pictures()

    def read(case: int) -> None:
        rng = np.random.default_rng([3, case])
        data = samples[case % len(samples)]
        at = data.index(b"IDAT" if rng.random() < 0.5 else b"PLTE") - 4
        kind = KINDS[int(rng.integers(len(KINDS)))]
        body = rng.bytes(int(rng.integers(40)))
        if rng.random() < 0.3:
            body = LENGTHS[int(rng.integers(len(LENGTHS)))].to_bytes(4, "big") + body
        read_png(data[:at] + png_chunk(kind, body) + data[at:], (5, 7))

    attack(read)


def use(folder: Path) -> None:
    """Open a store and read it in every way."""
    store = EpisodeStore(folder)
    for position, info in enumerate(store.infos()):
        store.read(position, [0, info.frames - 1])
        assert len(store.frame_numbers(position)) == info.frames
    ClipDataset(store, clip=2, stride=2, crop=8).batch(0, 2)
    store.verify()


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    source, out = folder / "out", tmp_path / "copy"
    (name,) = (path.name for path in (source / EPISODES).iterdir())
    (out / EPISODES / name).mkdir(parents=True)
    for file in (META, "problems.jsonl", f"{EPISODES}/{name}/{DATA}", f"{EPISODES}/{name}/episode.json"):
        (out / file).write_bytes((source / file).read_bytes())
    use(out)
    return out


def with_hash(manifest: dict[str, Any]) -> bytes:
    """The manifest with the hash that its content has now, so that only the content can be found wrong."""
    rest = {key: value for key, value in manifest.items() if key != "hash"}
    with suppress(UnicodeEncodeError):
        rest["hash"] = digest(canonical(rest))
    return json.dumps({"hash": "none", **rest}).encode("ascii")


def test_data_files(copy: Path) -> None:
    """Damaged, and with a manifest that states the damaged file's size."""
    (path,) = copy.glob(f"{EPISODES}/*/{DATA}")
    original, manifest = path.read_bytes(), json.loads((copy / META).read_bytes())

    def read(case: int) -> None:
        rng = np.random.default_rng([4, case])
        cut = case * 131 % len(original)
        data = original[:cut] if case % 4 == 0 else damaged(original, rng)
        path.write_bytes(data)
        manifest["episodes"][0]["data_bytes"] = len(data)
        (copy / META).write_bytes(with_hash(manifest))
        use(copy)

    assert attack(read, max(CASES // 3, 1)) > 0


STRANGE: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 7, 2**31 - 2, 2**31, 2**62, 10**30, 1.5, 1e308, float("inf"), float("nan")),
    *("", "..", ".", "a/b", "a\0b", "\ud800", "x" * 5000, [], [0], [2**40, 2**40], [0, 0], {}, {"a": []}),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of every value inside of a JSON value."""
    found = [path] if path else []
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        found += places(value[key], (*path, key))
    return found


def test_manifests_that_state_nonsense_under_a_true_hash(copy: Path) -> None:
    text = (copy / META).read_bytes()
    everywhere = places(json.loads(text))

    def read(case: int) -> None:
        rng = np.random.default_rng([5, case])
        manifest = json.loads(text)
        for _ in range(int(rng.integers(1, 4))):
            path = everywhere[int(rng.integers(len(everywhere)))]
            with suppress(KeyError, IndexError, TypeError):  # an earlier change took the place away
                inside = manifest
                for key in path[:-1]:
                    inside = inside[key]
                if isinstance(inside, list) != isinstance(path[-1], int):
                    continue
                if rng.random() < 0.1:
                    del inside[path[-1]]
                else:
                    inside[path[-1]] = deepcopy(STRANGE[int(rng.integers(len(STRANGE)))])
        (copy / META).write_bytes(with_hash(manifest))
        use(copy)

    assert attack(read) > CASES // 4


@pytest.mark.parametrize("value", ["", "x", [], [["train", 1]], None, 7])
def test_manifests_without_a_table_of_splits(copy: Path, value: Any) -> None:
    """Found at case 79,804 of the long form: what can be made into a table is none yet."""
    manifest = json.loads((copy / META).read_bytes())
    manifest["totals"]["episodes_by_split"] = value
    (copy / META).write_bytes(with_hash(manifest))
    with pytest.raises(HstError, match="damaged"):
        EpisodeStore(copy)


def test_manifests_of_absurd_size_that_agree_with_themselves(copy: Path) -> None:
    """Two thousand million frames of nothing, or few frames of enormous size: nothing is taken on trust."""
    original = json.loads((copy / META).read_bytes())
    for frames, shape in ((2**31 - 2, (0, 0)), (2**31 - 2, (1, 1)), (8, (2**13, 2**13)), (2**20, (240, 256))):
        manifest = json.loads(json.dumps(original))
        episode = manifest["episodes"][0]
        episode.update(frames=frames, size=list(shape), runs=[[0, frames]])
        for column in episode["columns"]:
            column.update(rows=frames, group=max(frames, 4) if 0 in shape or shape == (1, 1) else 4)
            column["shape"] = list(shape) if column["name"] == "frames" else [0] if 0 in shape else [1]
        (copy / META).write_bytes(with_hash(manifest))
        assert attack(lambda _: use(copy), 1) == 1


def test_manifests_that_are_no_json(copy: Path) -> None:
    text = (copy / META).read_bytes()
    for data in (b"", b"\xff", b"[" * 100_000, b'{"a":' * 50_000, b"null", b"[]", b'"x"', b"1" * 10_000, text[:-9]):
        (copy / META).write_bytes(data)
        assert attack(lambda _: use(copy), 1) == 1

    def read(case: int) -> None:
        (copy / META).write_bytes(damaged(text, np.random.default_rng([6, case])))
        use(copy)

    assert attack(read) > CASES // 2
