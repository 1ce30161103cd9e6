"""One graph for the whole network, the same for every mask; low precision; fast attention kernels on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from random_play import random_state
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from hstmae.models import HSTMAE, build_model
from hstmae.models.inputs import MaskedClips
from hstmae.models.masking import hidden_cubes, tube_visible

SMALL: dict[str, Any] = {
    "dims": (16, 16, 32, 32), "depths": (1, 2, 1, 1), "head_dim": 16, "decoder_dim": 32, "decoder_depth": 2,
    "decoder_head_dim": 16, "state_dim": 16, "texture_dim": 4, "pixel_dim": 8, "code_dim": 4,
}  # fmt: skip


def small(**changes: Any) -> HSTMAE:
    torch.manual_seed(0)
    model = build_model("hst-mae-nano", **(SMALL | changes)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("gate"):
                weight.fill_(0.5)
    return model


def clip(seed: int, height: int = 64, width: int = 96) -> tuple[MaskedClips, Tensor]:
    """A 2-frame clip with visible units at 75 %, and some of the hidden cubes."""
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randint(0, 64, (1, 2, height, width), dtype=torch.uint8, generator=generator)
    units = height * width // 256
    visible = tube_visible(1, units, 0.75, generator)
    return MaskedClips(frames, visible, random_state(1, 2, seed)), hidden_cubes(visible, units, 1)[:, ::3]


@pytest.mark.slow
def test_compiles_whole_and_once_for_all_masks() -> None:
    graphs = []

    def counting(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    model = small(depths=(1, 1, 1, 1), decoder_depth=1)
    compiled = torch.compile(
        model, fullgraph=True, dynamic=False, backend=counting
    )  # fullgraph: a graph break is an error
    with torch.no_grad():
        for seed in range(3):
            inputs = clip(seed, 272, 256)
            assert torch.allclose(compiled(*inputs), model(*inputs), atol=1e-5)
    assert len(graphs) == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_runs_in_low_precision(dtype: torch.dtype) -> None:
    model, inputs = small(), clip(0)
    with torch.no_grad():
        exact = model(*inputs)
        with torch.autocast("cpu", dtype):
            rough = model(*inputs)
    assert rough.dtype == dtype
    gap = (rough.float() - exact).abs().max() / exact.std()
    assert 0 < gap < 0.2
    with torch.autocast("cpu", dtype):
        model(*inputs).float().square().mean().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="fused attention kernels need a CUDA device")
@pytest.mark.parametrize("size", [(64, 96), (272, 256)])
def test_attention_runs_in_fused_kernels_on_a_gpu(size: tuple[int, int]) -> None:
    model = small().cuda()
    clips, queries = clip(0, *size)
    assert clips.state is not None
    state = clips.state.map(lambda a: a.cuda())
    inputs = MaskedClips(clips.frames.cuda(), clips.visible.cuda(), state), queries.cuda()
    fused = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
    # With the plain back end left out, a call that no fused kernel accepts raises an error.
    with sdpa_kernel(fused), torch.autocast("cuda", torch.bfloat16):
        out = model(*inputs)
        out.float().square().mean().backward()
    assert torch.isfinite(out).all()
