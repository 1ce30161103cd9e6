"""A model on several ranks: replicas whose gradients are averaged (DDP), or one model in shards (FSDP2)."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from ...models.blocks import WindowBlock
from ...models.decoder import DecoderBlock
from ...models.zoo import mismatch
from .distributed import World


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """The transformer blocks of encoder and decoder: where most of the weights and activations are."""
    return [module for module in model.modules() if isinstance(module, WindowBlock | DecoderBlock)]


def recompute_activations(model: nn.Module) -> None:
    """Let every transformer block compute its activations again in the backward pass instead of keeping them.

    The same gradients (drop path included, whose draw is repeated) for about a third more computation.
    """
    for block in blocks_of(model):
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)  # type: ignore[method-assign]


def shard(model: nn.Module, world: World, device: torch.device) -> None:
    """Spread the parameters over the ranks, in place; they are gathered block by block when they are needed.

    All ranks must hold the same values.
    """
    from torch.distributed.fsdp import fully_shard

    mesh: DeviceMesh = init_device_mesh(device.type, (world.size,))
    for block in blocks_of(model):
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)


def replicate(model: nn.Module) -> DistributedDataParallel:
    """Wrap a model for averaged gradients; its parameters become those of the first rank.

    Which parameters a step uses depends on its masks and states. Buffers are marks of what was seen: each rank keeps
    its own until they are joined.
    """
    return DistributedDataParallel(
        model, broadcast_buffers=False, find_unused_parameters=True, gradient_as_bucket_view=True
    )


def without_exchange(net: nn.Module, wanted: bool) -> AbstractContextManager[Any]:
    """While gradients are still being added up there is no need to exchange them (FSDP always does, to stay small)."""
    return net.no_sync() if wanted and isinstance(net, DistributedDataParallel) else nullcontext()


def whole(value: Any, keep: bool) -> Any:
    """A state dict with every sharded tensor gathered to the CPU. All ranks must call it.

    Args:
        value: nested dicts, lists and tuples of tensors and plain data.
        keep: whether this rank wants the gathered tensors; others get empty ones.
    """
    if isinstance(value, DTensor):
        full = value.full_tensor()
        return full.cpu() if keep else torch.empty(0)
    if isinstance(value, dict):
        return {key: whole(item, keep) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(whole(item, keep) for item in value)
    return value


def load_whole(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """`model.load_state_dict` of unsharded weights, also into a sharded model.

    Raises:
        RuntimeError: names or shapes do not fit.
    """
    own = model.state_dict()
    if problems := mismatch(own, weights):
        raise RuntimeError("; ".join(problems))
    model.load_state_dict({name: _like(own[name], value) for name, value in weights.items()})


def load_whole_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """`optimizer.load_state_dict` of an unsharded state, also where the parameters are sharded.

    Raises:
        ValueError: groups or sizes do not fit.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    spread = {
        number: {
            key: _like(parameters[number], value) if isinstance(value, Tensor) and value.ndim else value
            for key, value in values.items()
        }
        for number, values in state["state"].items()
        if number < len(parameters)
    }
    optimizer.load_state_dict({**state, "state": spread})


def _like(own: Tensor | None, value: Tensor) -> Tensor:
    if not isinstance(own, DTensor):
        return value
    if own.shape != value.shape:
        raise RuntimeError(f"size mismatch: {list(value.shape)} instead of {list(own.shape)}")
    return distribute_tensor(value.to(own.device), own.device_mesh, own.placements)
