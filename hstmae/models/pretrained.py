"""Models as folders: config.json + model.safetensors."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..atomic import write_bytes, write_text
from ..config import from_dict, to_dict
from ..errors import CheckpointError, ConfigError
from ..model_folders import CONFIG, MANIFEST, WEIGHTS, find_model
from ..remote.hub import push
from .packing import packed, unpacked

_Model = TypeVar("_Model", bound="Pretrained")


class _Undrawn(TorchFunctionMode):
    """Within it modules are made without drawing random weights: those of a file take their place at once."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0].zero_()  # not left as it is: drawing within bounds goes on until all numbers lie there
        return func(*args, **(kwargs or {}))


class Pretrained(nn.Module):
    """A module that is made from a configuration alone and can be kept as a folder."""

    CONFIG: ClassVar[type[Any]]  # dataclass of the configuration
    KIND: ClassVar[str] = "model"
    config: Any

    @classmethod
    def least_parameters(cls, config: Any) -> int:
        """Fewer parameters than a model of this configuration has. Raises ConfigError where it makes no model."""
        return 0

    @classmethod
    def from_pretrained(cls: type[_Model], name: str | Path, revision: str | None = None) -> _Model:
        """A trained model in evaluation mode, from a folder, a bundled name or a hub id.

        Args:
            revision: branch, tag or commit of a model on the Hub; None = its newest.
        Raises:
            CheckpointError: missing or damaged files, or weights that do not fit the configuration; the message names
                the first keys that are missing, too many or of another shape.
        """
        folder = find_model(name, revision)
        file = folder / CONFIG
        if not (folder / WEIGHTS).is_file():
            if (folder / MANIFEST).is_file():
                raise CheckpointError(f"{folder}: is an export, which restore takes with --runtime onnx")
            raise CheckpointError(f"{folder}: has no {WEIGHTS}; fetch or train the {cls.KIND} again")
        try:
            config = from_dict(cls.CONFIG, json.loads(file.read_text("utf-8")), str(file))
            weights = unpacked(load_tensors((folder / WEIGHTS).read_bytes()))
            check_weights(weights, cls.least_parameters(config), f"{folder}: {WEIGHTS}")
            with _Undrawn():
                model = cls(config)
        except ConfigError as error:
            raise CheckpointError(f"{folder}: not a {cls.KIND} that this version reads ({error})") from error
        except CheckpointError:
            raise
        except Exception as error:
            raise CheckpointError(
                f"{folder}: cannot load the {cls.KIND} ({_first_line(error)}); fetch or train it again"
            ) from error
        if problems := mismatch(model.state_dict(), weights):
            raise CheckpointError(
                f"{folder}: model.safetensors does not fit config.json ({'; '.join(problems)}); "
                "restore the config.json it was saved with, or train the model again"
            )
        model.load_state_dict(weights)
        return model.eval()

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype = torch.float32) -> None:
        """Write config.json and model.safetensors into a folder."""
        save_pretrained(self.state_dict(), self.config, folder, dtype)

    def push_to_hub(
        self, repo: str, *, card: str | None = None, private: bool = False, revision: str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> str:  # fmt: skip
        """Put the model on the Hugging Face Hub, in one commit; `from_pretrained(repo)` fetches it.

        Args:
            repo: "owner/name".
            card: text of its README.md; None = a short one.
            private, revision: as of `remote.hub.push`.
        Returns:
            Address of the commit.
        Raises:
            UsageError, DataError: as of `remote.hub.push`.
        """
        count = sum(parameter.numel() for parameter in self.parameters())
        name = str(getattr(self.config, "name", "") or repo.partition("/")[2])
        usual = (
            f"---\nlibrary_name: hstmae\ntags: [hstmae, video-restoration, games]\n---\n\n# {name}\n\n"
            f'{count:,} parameters.\n\n```python\nimport hstmae\n\nmodel = hstmae.load("{repo}")\n```\n'
        )
        with tempfile.TemporaryDirectory(prefix="hstmae-") as folder:
            self.save_pretrained(folder, dtype)
            return push([Path(folder)], repo, "model", card=card or usual, private=private, revision=revision)


def save_pretrained(
    weights: dict[str, Tensor], config: Any, folder: str | Path, dtype: torch.dtype = torch.float16
) -> None:
    """Write a model folder; each file appears whole or not at all, the weights before the config that names them.

    dtype: of floating-point weights; int8 as `packing.packed` says.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if dtype == torch.int8:
        tensors = packed(weights)
    else:
        tensors = {k: v.to(dtype) if v.is_floating_point() else v for k, v in weights.items()}
    tensors = {k: v.contiguous().cpu() for k, v in tensors.items()}
    write_bytes(folder / WEIGHTS, save_tensors(tensors, metadata={"format": "pt"}))
    write_text(folder / CONFIG, json.dumps(to_dict(config), indent=2) + "\n")


def check_weights(weights: Mapping[str, Any], least: int, where: str) -> None:
    """Refuse weights that no model can be made of, before one is.

    Args:
        least: parameters that the configuration asks for at least.
        where: the file, for the message.
    Raises:
        CheckpointError: not tensors by name, far too few for the configuration, or numbers that are not finite.
    """
    if not isinstance(weights, Mapping) or not all(isinstance(tensor, Tensor) for tensor in weights.values()):
        raise CheckpointError(f"{where}: holds no tensors by name; fetch or train the model again")
    found = sum(tensor.numel() for tensor in weights.values())
    if found < least:
        raise CheckpointError(f"{where}: holds {found:,} numbers, and the configuration asks for more than {least:,}")
    wrong = [name for name, tensor in weights.items() if not _finite(tensor)]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise CheckpointError(
            f"{where}: {wrong[0]}{more} holds numbers that are not finite (NaN or infinite): training has failed, or "
            "the file is damaged; fetch or train the model again"
        )


def _finite(tensor: Tensor) -> bool:
    # What is not finite is also the largest; to look at that alone takes a third of the time.
    return not (tensor.is_floating_point() and tensor.numel()) or bool(tensor.abs().amax().isfinite())


def mismatch(wanted: dict[str, Tensor], found: dict[str, Tensor], named: int = 3) -> list[str]:
    """What keeps `found` from being loaded as `wanted`: a phrase for each kind, with the first `named` keys."""
    missing = [k for k in wanted if k not in found]
    unexpected = [k for k in found if k not in wanted]
    shapes = [
        f"{k} {list(found[k].shape)} instead of {list(wanted[k].shape)}"
        for k in wanted
        if k in found and found[k].shape != wanted[k].shape
    ]
    types = [
        f"{k} {found[k].dtype} instead of {wanted[k].dtype}"
        for k in wanted
        if k in found and found[k].is_floating_point() != wanted[k].is_floating_point()
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": shapes, "of another type": types}
    return [
        f"{len(keys)} {kind}: {', '.join(keys[:named])}{' ...' if len(keys) > named else ''}"
        for kind, keys in kinds.items()
        if keys
    ]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
