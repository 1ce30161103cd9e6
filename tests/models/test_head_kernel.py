"""The compiled palette head against the same arithmetic in torch, in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hstmae.models.fast import kernel as head_kernel
from hstmae.models.fast.kernel import COLUMNS, HeadKernel

pytestmark = pytest.mark.skipif(head_kernel._library() is None, reason="needs the compiled head")


def made_up(columns: int, width: int = 48, cubes: int = 9, depth: int = 6) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(columns)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw)

    rows = torch.randint(0, 50, (cubes, 256, depth), generator=draw, dtype=torch.int32)
    table = 0.5 * normal(50, width)
    table[0] = 0
    return {
        "table": table, "rows": rows, "drawn": normal(cubes, 256, 8), "inward": normal(8, width),
        "scale": normal(width), "bias": normal(width), "outward": normal(width, columns), "out_bias": normal(columns),
    }  # fmt: skip


def expected(x: dict[str, Tensor], rows: bool) -> Tensor:
    y = {name: value.double() if value.is_floating_point() else value.long() for name, value in x.items()}
    told = y["table"][y["rows"]].sum(2) if rows else 0
    return F.gelu(told * y["scale"] + y["bias"] + y["drawn"] @ y["inward"]) @ y["outward"] + y["out_bias"]


def run(x: dict[str, Tensor], rows: bool, colours: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor | None]:
    names = torch.arange(len(x["out_bias"])) + 3  # entries of a palette, not their places
    kernel = HeadKernel.of(x["outward"], x["out_bias"], names)
    assert kernel is not None
    table = x["table"] if rows else None
    return kernel(table, x["rows"] if rows else None, x["drawn"], x["inward"], x["scale"], x["bias"], colours)


@pytest.mark.parametrize("rows", [True, False])
@pytest.mark.parametrize("columns", [8, 16, 24, 40, 64, 248])
def test_pixels_are_those_of_a_softmax_in_double_precision(columns: int, rows: bool) -> None:
    x = made_up(columns)
    palette = F.pad(torch.randint(0, 256, (columns, 3)).float(), (0, 1), value=1.0)
    entry, colour, confidence = run(x, rows, palette)
    share = expected(x, rows).softmax(-1)
    top, place = share.max(-1)
    assert colour is not None and confidence is not None
    assert len(entry.unique()) > columns // 3
    clear = share.topk(2, -1).values.diff(dim=-1).abs().squeeze(-1) > 1e-4
    assert clear.float().mean() > 0.9 and torch.equal(entry[clear].long(), place[clear] + 3)
    torch.testing.assert_close(confidence.double(), top, atol=2e-5, rtol=2e-5)
    mean = share @ palette[:, :3].double()
    assert (colour.double() - mean).abs().max() < 0.502  # rounded
    bare = run(x, rows, None)
    assert torch.equal(bare[0], entry) and bare[1] is None and bare[2] is None


def test_huge_and_tiny_logits_stay_finite() -> None:
    x = made_up(16)
    x["out_bias"][:] = -1e30  # columns that only fill up
    x["out_bias"][5] = 0
    palette = torch.full((16, 4), 7.0)
    palette[:, 3] = (torch.arange(16) == 5).float()
    entry, colour, confidence = run(x, True, palette)
    assert (entry == 8).all() and colour is not None and (colour == 7).all()
    assert confidence is not None and (confidence == 1).all()


def test_any_number_of_threads_and_both_ways_to_start_them_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    x = made_up(24, cubes=21)
    palette = torch.rand(24, 4, generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(run(x, True, palette))
            with monkeypatch.context() as patch:
                patch.setattr(head_kernel, "_gomp", lambda: None)
                head_kernel._together.cache_clear()
                assert head_kernel._together().__name__ == "with_pool"
                results.append(run(x, True, palette))
            head_kernel._together.cache_clear()
    finally:
        torch.set_num_threads(before)
    for result in results[1:]:
        for a, b in zip(results[0], result, strict=True):
            assert a is not None and b is not None and torch.equal(a, b)


def test_sizes_that_the_loop_does_not_take_are_left_to_torch() -> None:
    names = torch.arange(8)
    assert HeadKernel.of(torch.zeros(20, 8), torch.zeros(8), names) is None
    assert HeadKernel.of(torch.zeros(48, COLUMNS + 1), torch.zeros(COLUMNS + 1), names) is None
    assert HeadKernel.of(torch.zeros(48, 8), torch.zeros(8), torch.arange(249, 257)) is None
    assert HeadKernel.of(torch.zeros(48, 8, device="meta"), torch.zeros(8), names) is None
    assert HeadKernel.of(torch.zeros(48, 8), torch.zeros(8), names) is not None
