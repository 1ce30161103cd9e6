"""Making the coder's tables from a store."""

from pathlib import Path

import pytest

from hstmae.bundled import find_config
from hstmae.codec.container.gop import Gop
from hstmae.codec.lossless import kernel
from hstmae.codec.lossless.profile import LosslessProfile
from hstmae.config import load_yaml
from hstmae.data.store.reader import EpisodeStore
from hstmae.training.codec import lossless_tables as pretrain
from hstmae.training.codec.config import CodecRun

pytestmark = pytest.mark.skipif(kernel.library_path() is None, reason="needs the compiled kernel")


def test_the_same_store_gives_the_same_tables_and_they_know_it(sample_store: EpisodeStore, tmp_path: Path) -> None:
    made = [tmp_path / "a.tables", tmp_path / "b.tables"]
    for path in made:
        assert pretrain.main([str(sample_store.path), str(path), "--groups", "1", "--slots", "3000"]) == 0
    assert made[0].read_bytes() == made[1].read_bytes()
    gop = Gop.of(sample_store.read(0, range(16)))
    sizes = []
    for game, tables in (("smb", made[0]), (None, None)):
        profile = LosslessProfile(game, tables)
        streams = profile.encode(gop)
        back = profile.decode(streams, gop.shape)
        assert (back.frames == gop.frames).all() and back.state is not None and (back.state == gop.state).all()
        sizes.append(sum(map(len, streams.values())))
    assert sizes[0] < 0.8 * sizes[1], "no better than starting from nothing"


@pytest.mark.parametrize("arguments", [["nowhere"], ["{store}", "--groups", "0"], ["{store}", "--slots", "-1"]])
def test_bad_input_is_one_line_and_exit_status_2(
    arguments: list[str], sample_store: EpisodeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, *options = (a.format(store=sample_store.path) for a in arguments)
    assert pretrain.main([store, str(tmp_path / "x.tables"), *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_a_key_of_earlier_versions_is_read(tmp_path: Path) -> None:
    (tmp_path / "codec.yaml").write_text("codec: {latent: 8}\ntrain: {told: 0.5}\n")
    assert load_yaml(CodecRun, tmp_path / "codec.yaml").train.with_state == 0.5
    assert load_yaml(CodecRun, find_config("configs/codec_nano.yaml")).train.with_state == 0.97
