"""What one run of codec training is: a configuration file with the sections `codec` and `train`."""

from dataclasses import dataclass, field

from ...codec.neural.model import CodecConfig
from ...configio import RETIRED, Retired


@dataclass(frozen=True)
class CodecTraining:
    """One run of codec training."""

    store: str = "data/preprocessed"
    init: str = "hst-mae-nano"  # autoencoder to start from
    out: str = "runs/codec"
    gop: int = 32  # frames of a group of pictures: what the state's history is known from
    clip: int = 16  # frames of it in a step
    stride: int = 4
    batch: int = 6  # clips per step
    steps: int = 1500
    queries: int = 128  # cubes drawn from the state, per clip and step ...
    coded: int = 40  # ... and of those drawn again with latents
    hard_queries: float = 0.6  # share of the queries drawn by detail
    with_state: float = 0.92  # how often a clip comes with its state
    held: float = 0.4  # how often the code of a cell is that of an earlier slice, as in streams
    changed: float = 40.0  # mean square error (of 255 steps) above which a cell counts as changed
    lr: float = 1.5e-3  # of the codec's own parts ...
    state_lr: float = 5e-4  # ... and of what comes from the autoencoder
    warmup: int = 30
    ema: float = 0.995
    rgb_loss: float = 2.0
    commitment: float = 0.25
    first_clips: int = 400  # clips read before the first step, for the first latents and codebooks
    restart_every: int = 20  # steps between restarts of codes out of use; none in the last sixth of the run
    pool: int = 16384  # distinct changed cells kept for the codebooks, and as many of any kind
    plain: int = 320  # cells per step that are drawn from their latents alone, without what the state says
    table_groups: int = 700  # groups that the entropy coder's tables are learned from (0 = none) ...
    table_quality: float = 38.5  # ... and at which quality
    log_every: int = 25
    max_minutes: float = 0.0
    seed: int = 0
    threads: int = 0


RANGES = {
    **{"gop": (1, 1024), "clip": (2, 1024), "stride": (1, 10**6), "batch": (1, 2**16), "steps": (1, 10**9)},
    **dict.fromkeys(("queries", "coded", "plain", "pool"), (1, 2**22)),
    **dict.fromkeys(("hard_queries", "with_state", "held", "ema"), (0, 1)),
    **dict.fromkeys(("lr", "state_lr"), (0, 1000)),
    **dict.fromkeys(("changed", "rgb_loss", "commitment", "max_minutes"), (0, 10**6)),
    **dict.fromkeys(("warmup", "table_groups"), (0, 10**9)),
    **{"first_clips": (0, 10**6), "table_quality": (20, 60), "log_every": (1, 10**9), "restart_every": (1, 10**9)},
    **{"seed": (0, 2**32 - 1), "threads": (0, 4096)},
}

RETIRED[CodecTraining] = {"told": Retired("how often a clip comes with its state", "with_state")}


@dataclass(frozen=True)
class CodecRun:
    """A configuration file of codec training."""

    codec: CodecConfig = field(default_factory=CodecConfig)
    train: CodecTraining = field(default_factory=CodecTraining)
