"""The neural profile with a small random model: streams, exactness, refusals; and the bundled model's figures."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copy

import numpy as np
import pytest
import torch

from hstmae.bundled import CHECKPOINTS
from hstmae.codec.container.gop import Gop
from hstmae.codec.neural import exact
from hstmae.codec.neural.model import CodecConfig, CodecModel
from hstmae.codec.neural.painting import Painter
from hstmae.codec.neural.pictures import slope_of
from hstmae.codec.neural.profile import NeuralProfile
from hstmae.codec.neural.weights import load_codec, save_codec
from hstmae.config import ModelConfig
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import CheckpointError, CodecError, ConfigError
from hstmae.models.zoo import build_model

SMALL = CodecConfig(
    name="small",
    model=ModelConfig(
        dims=(16, 32, 48, 64), head_dim=16, depths=(1, 1, 1, 1), decoder_dim=32, decoder_depth=1, decoder_head_dim=16,
        state_dim=32, texture_dim=4, pixel_dim=8,
    ),
    latent=8, stages=3, codes=16,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, sample_store: EpisodeStore) -> Path:
    """A model whose state's side is random, so that nearly all cells need codes."""
    torch.manual_seed(0)
    model = CodecModel(SMALL)
    generator = torch.Generator().manual_seed(0)
    pictures = torch.from_numpy(sample_store[0].frames[::16])
    cells = pictures.view(-1, 2, 15, 16, 16, 16).permute(0, 2, 4, 1, 3, 5).reshape(-1, 2, 16, 16).unique(dim=0)
    model.start_cells(cells, generator)
    model.rvq.start(model.cell_encoder(cells), generator, 3)
    out = tmp_path_factory.mktemp("codec") / "small"
    save_codec(model, out)
    return out


@pytest.fixture(scope="module")
def gop(sample_store: EpisodeStore) -> Gop:
    """A strip on the left of four frames: enough for everything but figures."""
    whole = Gop.of(sample_store[0].take(slice(0, 16, 4)))
    return replace(whole, frames=np.ascontiguousarray(whole.frames[:, :, :64]))


@pytest.fixture(scope="module")
def streams(folder: Path, gop: Gop) -> dict[str, bytes]:
    return NeuralProfile(folder, quality=30, reach=False).encode(gop)


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def error(profile: NeuralProfile, a: Gop, b: Gop) -> float:
    colours = profile.game.palette.astype(np.float64)
    return float(((colours[a.frames] - colours[b.frames]) ** 2).mean())


def test_codes_bring_the_picture_nearer(folder: Path, gop: Gop, streams: dict[str, bytes]) -> None:
    profile = NeuralProfile(folder, quality=30, reach=False)
    made = profile.decode(streams, gop.shape)
    assert made.frames.shape == gop.frames.shape and made.frames.dtype == np.uint8
    assert made.actions is not None and gop.actions is not None and (made.actions == gop.actions).all()
    grid, state, _, codes, scale = profile.read(streams, gop.shape)
    assert scale == 1 and len(codes) > 60
    assert state is not None and made.state is not None and (state == made.state).all()
    plain = Painter(profile.model, profile._head, profile._decoded(state, 4), grid).from_state()
    assert error(profile, made, gop) < 0.5 * error(profile, replace(gop, frames=plain), gop)


def test_what_the_encoder_weighed_is_what_the_decoder_draws(folder: Path, gop: Gop, streams: dict[str, bytes]) -> None:
    """More bits, fewer errors, down to what all stages can do."""
    profile = NeuralProfile(folder, reach=False)
    sizes, errors = [], []
    for quality in (22.0, 45.0):
        profile.quality = quality
        made = profile.encode(gop)
        sizes.append(len(made["PICT"]))
        errors.append(error(profile, profile.decode(made, gop.shape), gop))
    assert sizes[0] < sizes[1] and errors[0] > errors[1]
    assert slope_of(30) == pytest.approx(10 * slope_of(40))


def test_indices_do_not_depend_on_threads_or_neighbours(
    folder: Path, gop: Gop, streams: dict[str, bytes], one_thread: None
) -> None:
    profile = NeuralProfile(folder)
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        grid, state, _, codes, _ = profile.read(streams, gop.shape)
        found.append((codes, state.tobytes() if state is not None else b"", grid.base.tobytes()))
    assert found[0] == found[1]
    # latents are sums in a fixed order: alone or among others they are the same to the last bit
    codes = list(found[0][0].values())
    state = profile.model.rvq
    index = torch.tensor([[*c, *[0] * (3 - len(c))] for c in codes])
    used = torch.tensor([len(c) for c in codes])
    alone = torch.cat([state.dequantise(index[i : i + 1], used[i : i + 1]) for i in range(len(codes))])
    assert torch.equal(alone, state.dequantise(index, used))


@pytest.mark.parametrize("frames", [1, 3])
def test_odd_numbers_of_frames(folder: Path, gop: Gop, frames: int) -> None:
    some = Gop(*(a if name in ("palette", "corner") else a[:frames] for name, a in vars(gop).items()))
    profile = NeuralProfile(folder, quality=25, reach=False)
    made = profile.decode(profile.encode(some), some.shape)
    assert made.frames.shape == some.frames.shape and made.state is not None and len(made.state) == frames


def test_without_state_and_cropped(folder: Path, gop: Gop) -> None:
    profile = NeuralProfile(folder, quality=25, reach=False)
    bare = Gop(gop.frames[:2, :50, :50], None, None, None)
    streams = profile.encode(bare)
    assert set(streams) == {"PICT"}
    assert profile.decode(streams, bare.shape).frames.shape == (2, 50, 50)
    without = NeuralProfile(folder, quality=25, state="none").encode(gop)
    assert set(without) == {"PICT", "ACTN"}
    assert NeuralProfile(folder).decode(without, gop.shape).state is None
    full = NeuralProfile(folder, quality=20, state="full")
    made = full.decode(full.encode(gop), gop.shape)
    assert made.state is not None and gop.state is not None and (made.state == gop.state).all()


def test_enlarged_pictures_cost_what_small_ones_do(folder: Path, sample_store: EpisodeStore) -> None:
    profile = NeuralProfile(folder, quality=20, reach=False)
    some = Gop(sample_store[0].frames[:2], None, None, None)
    large = Gop(some.frames.repeat(3, 1).repeat(3, 2), None, None, None)
    a, b = profile.encode(some), profile.encode(large)
    assert len(a["PICT"]) == len(b["PICT"])
    made, small = profile.decode(b, large.shape), profile.decode(a, some.shape)
    assert (made.frames == small.frames.repeat(3, 1).repeat(3, 2)).all()


def psnr(profile: NeuralProfile, a: Gop, b: Gop) -> float:
    return 10 * math.log10(65025 / max(error(profile, a, b), 1e-9))


@pytest.mark.parametrize(
    ("kind", "quality"),
    [("whole", 20), ("whole", 38.5), ("whole", math.inf), ("no memory", 60), ("odd", 38.5), ("cut off", math.inf),
     ("enlarged", 60)],
)  # fmt: skip
def test_every_group_has_the_quality(folder: Path, gop: Gop, kind: str, quality: float) -> None:
    """Whatever the pictures are, and although this model draws next to nothing."""
    some = replace(gop, frames=gop.frames[:2], state=gop.state[:2], actions=gop.actions[:2])  # type: ignore[index]
    if kind == "no memory":
        some = Gop(np.random.default_rng(0).integers(0, 50, (2, 20, 30), np.uint8), None, None, None)
    elif kind == "odd":
        some = replace(gop, frames=gop.frames[:3], state=gop.state[:3], actions=gop.actions[:3])  # type: ignore[index]
    elif kind == "cut off":
        some = replace(some, frames=np.ascontiguousarray(some.frames[:, 8:]), corner=(8, 0))
    elif kind == "enlarged":
        whole = np.random.default_rng(1).integers(0, 50, (1, 240, 256), np.uint8)
        some = Gop(whole.repeat(2, 1).repeat(2, 2), None, None, None)
    profile = NeuralProfile(folder, quality=quality)
    streams = profile.encode(some)
    made = profile.decode(streams, some.shape)
    assert made.frames.shape == some.frames.shape and psnr(profile, made, some) >= min(quality, 130)
    assert len(streams["PICT"]) < some.frames.size


def test_exact_pictures_of_other_tables_or_damaged_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = NeuralProfile(folder, quality=math.inf)
    gop = Gop(np.random.default_rng(0).integers(0, 50, (2, 20, 30), np.uint8), None, None, None)
    streams = profile.encode(gop)
    data = streams["PICT"]
    assert data[0] == 2
    with monkeypatch.context() as patch:
        patch.setattr(exact, "VERSIONS", (3,))
        before = profile.encode(gop)
    assert before["PICT"][2:10] != data[2:10]
    assert np.array_equal(profile.decode(before, gop.shape).frames, gop.frames)
    with pytest.raises(CodecError, match="other tables"):
        profile.decode({**streams, "PICT": data[:5] + bytes([data[5] ^ 1]) + data[6:]}, gop.shape)
    for broken in (data[:1], data[:2], data[:8], data + bytes(9)):
        with pytest.raises(CodecError):
            profile.decode({**streams, "PICT": broken}, gop.shape)


def test_a_bitrate_that_cannot_be_kept_is_told(folder: Path, gop: Gop) -> None:
    profile = NeuralProfile(folder, bitrate=1000.0, fps=15)
    streams = profile.encode(gop)
    bits = 8 * sum(map(len, streams.values())) * 15 / len(gop.frames)
    assert bits > 1000 and f"1 groups take more than 1 kbit/s, up to {bits / 1000:.1f}" in profile.remark
    assert profile.decode(streams, gop.shape).frames.shape == gop.frames.shape
    assert NeuralProfile(folder, bitrate=1e9).remark == "" == NeuralProfile(folder).remark


def test_a_bitrate_is_kept(folder: Path, gop: Gop) -> None:
    some = Gop(gop.frames[:2], None, None, None)
    sizes = []
    for bitrate in (600.0, 20_000.0):
        made = NeuralProfile(folder, bitrate=bitrate, fps=15).encode(some)
        sizes.append(sum(map(len, made.values())))
        assert sizes[-1] * 8 * 15 / 2 <= bitrate
    assert sizes[0] < sizes[1]


def test_streams_that_make_no_sense(folder: Path, gop: Gop, streams: dict[str, bytes]) -> None:
    profile = NeuralProfile(folder)
    for broken, match in (
        ({**streams, "PICT": b""}, "no picture stream"),
        ({**streams, "PICT": b"\x09" + streams["PICT"][1:]}, "version"),
        ({**streams, "PICT": streams["PICT"][:1] + b"\x07" + streams["PICT"][2:]}, "enlarged 7 times"),
        ({**streams, "PICT": streams["PICT"] + b"12345678"}, "more"),
        ({**streams, "STAT": b"\x05"}, "memory"),
        ({k: v for k, v in streams.items() if k != "ACTN"}, "actions"),
    ):
        with pytest.raises(CodecError, match=match):
            profile.read(broken, gop.shape)
    with pytest.raises(CodecError, match="true colour"):
        profile.decode(streams, replace(gop.shape, channels=3))


def test_damaged_streams_are_refused_or_decode_to_something_of_that_shape(
    folder: Path, gop: Gop, streams: dict[str, bytes]
) -> None:
    profile, rng = NeuralProfile(folder), np.random.default_rng(0)
    for _ in range(40):
        name = str(rng.choice(["PICT", "STAT"]))
        data = bytearray(streams[name])
        data[int(rng.integers(len(data)))] ^= int(rng.integers(1, 256))
        try:
            _, state, _, codes, _ = profile.read({**streams, name: bytes(data)}, gop.shape)
        except CodecError:
            continue
        assert state is not None and state.shape == (4, 2048)
        assert all(len(c) <= 3 and max(c) < 16 for c in codes.values())


def test_bad_input_is_told(folder: Path, gop: Gop, tmp_path: Path) -> None:
    profile = NeuralProfile(folder)
    with pytest.raises(CodecError, match="true colour"):
        profile.encode(Gop(np.zeros((2, 16, 16, 3), np.uint8), None, None, None))
    with pytest.raises(CodecError, match="palette index 200"):
        profile.encode(Gop(np.full((2, 16, 16), 200, np.uint8), None, None, None))
    with pytest.raises(CodecError, match="2048 bytes"):
        profile.encode(Gop(gop.frames[:2], None, np.zeros((2, 128), np.uint8), None))
    for options in ({"quality": 5}, {"quality": math.nan}, {"bitrate": 0}, {"state": "some"}, {"game": "generic"}):
        with pytest.raises(ConfigError):
            NeuralProfile(folder, **options)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="no model"):
        NeuralProfile(tmp_path / "nothing")
    build_model("hst-mae-nano").save_pretrained(tmp_path / "other")
    with pytest.raises(CheckpointError, match="codec model"):
        load_codec(tmp_path / "other")


def test_the_hash_names_weights_and_tables_and_files_of_earlier_tables_are_read(
    folder: Path, gop: Gop, tmp_path: Path
) -> None:
    def made(name: str) -> str:
        return NeuralProfile(tmp_path / name).tables_sha256

    digest, model = NeuralProfile(folder).tables_sha256, load_codec(folder)
    save_codec(model, tmp_path / "same")
    assert made("same") == digest
    model.prior[0] += 1
    save_codec(model, tmp_path / "changed")
    copy(CHECKPOINTS / "hst-codec-nano" / "rows.tables", tmp_path / "changed")
    assert made("changed") != digest
    before = NeuralProfile(tmp_path / "changed", quality=25, reach=False)
    streams = before.encode(gop)
    shutil.move(tmp_path / "changed", tmp_path / "now")  # a model that has learned the memory anew
    shutil.move(tmp_path / "now" / "rows.tables", tmp_path / "now" / "rows-1.tables")
    bound = NeuralProfile(tmp_path / "now", bound=before.tables_sha256)
    assert bound.tables_sha256 == before.tables_sha256 != made("now")
    again, first = bound.decode(streams, gop.shape), before.decode(streams, gop.shape)
    assert again.state is not None and np.array_equal(again.state, first.state)
    assert np.array_equal(again.frames, first.frames)
