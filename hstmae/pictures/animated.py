"""Picture files that hold several pictures: animated PNG, GIF and WebP files, and TIFF files of several pages."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from . import png
from .reading import DAMAGE, FORMATS, beside_of, look
from .writing import MAX_PIXELS, MAX_WEBP, chunks_for, pillow_options

FORM = {"PNG": ".png", "GIF": ".png", "WEBP": ".webp", "TIFF": ".tif"}  # what each is written back as


def is_animated(path: Path) -> bool:
    """Whether a picture file holds several pictures that are frames; False for what is none."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
        if head.startswith(png.SIGNATURE) and b"acTL" not in head:
            return False
        return look(path).frames > 1
    except (OSError, DataError):
        return False


@dataclass
class Animated:
    """The frames of one file, upright where it is stored so, as they are shown one after the other.

    Attributes:
        path: of the file.
        size: height and width.
        delays: seconds that each frame is shown; those of pages are 0.
        plays: how often; 0 = for ever.
        ending: of what it is written back as.
        alpha: whether frames may be transparent.
        lost: what of the file is not kept, in words.
    """

    path: Path
    size: tuple[int, int] = field(init=False)
    delays: list[Fraction] = field(init=False)
    plays: int = field(init=False, default=0)
    ending: str = field(init=False)
    alpha: bool = field(init=False)
    lost: tuple[str, ...] = field(init=False, default=())
    _skip: int = field(init=False, default=0)
    _beside: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """Raises DataError for a file that cannot be read, or whose frames are not of 8 bits and one size."""
        from PIL import Image

        try:
            with Image.open(self.path, formats=FORMATS) as file:
                if file.format not in FORM:
                    raise DataError(f"{self.path}: is a {file.format} file, which holds one picture")
                self.size = file.height, file.width
                if file.width * file.height > MAX_PIXELS:
                    raise DataError(f"{self.path}: {file.width}x{file.height} pixels are more than {MAX_PIXELS}")
                if file.format == "WEBP" and max(file.size) > MAX_WEBP:
                    raise DataError(f"{self.path}: more than {MAX_WEBP} pixels across can be read, but not written")
                own = self.path.suffix.lower()
                fits = Image.registered_extensions().get(own) == file.format and file.format != "GIF"
                self.ending = own if fits else FORM[file.format]
                self._look_at(file)
        except (*DAMAGE, Image.DecompressionBombError) as error:
            raise DataError(f"{self.path}: cannot be read as an animation ({error})") from None

    def _look_at(self, file: Any) -> None:
        form = file.format
        self._beside = beside_of(file, form, False)
        self.alpha = form == "GIF" or "A" in file.mode or "transparency" in file.info
        lost = ["GIF: written as animated PNG, which keeps every pixel"] if form == "GIF" else []
        if form == "PNG":
            data = self.path.read_bytes()
            chunks = png.read_chunks(data)
            if chunks.header[2] == 16:
                raise DataError(f"{self.path}: is an animation of 16 bits a channel, which is not read: convert it")
            self.delays, self.plays, first = png.apng_delays(data)
            self._skip = 0 if first else 1
            lost += [] if first else ["the still picture that stands for the animation"]
            before = tuple(one for one in chunks.before if one[0] not in png.OF_SAMPLES)
            self._beside = {"before": before, "behind": chunks.behind}
            self.alpha |= chunks.header[3] == png.PALETTE
            self.lost = tuple(lost)
            return
        self.delays = []
        for k in range(int(getattr(file, "n_frames", 1))):
            file.seek(k)
            if form == "TIFF":
                bits = np.atleast_1d(file.tag_v2.get(258, 8)).max()
                if bits > 8 or file.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
                    raise DataError(
                        f"{self.path}: page {k} has {bits} bits a channel (mode {file.mode}); several pages are read "
                        "of 8 bits only: save them as single files"
                    )
                self.alpha |= "A" in file.mode
            if (file.height, file.width) != self.size:
                raise DataError(
                    f"{self.path}: page {k} is {file.width}x{file.height}, those before it {self.size[1]}x"
                    f"{self.size[0]}: save them as single files"
                )
            if form == "WEBP":
                file.load()  # which is what finds its duration
            self.delays.append(Fraction(file.info.get("duration", 0)).limit_denominator(1000) / 1000)
        loops = file.info.get("loop")
        self.plays = (1 if loops is None else loops and loops + 1) if form == "GIF" else int(loops or 0)
        self.lost = tuple(lost)

    def __len__(self) -> int:
        return len(self.delays)

    @property
    def rate(self) -> Fraction | None:
        """Frames per second, the mean of them; None where frames have no time."""
        total = sum(self.delays, Fraction(0))
        return len(self.delays) / total if total else None

    @property
    def constant(self) -> bool:
        """Whether all frames but the last are shown equally long."""
        return len(set(self.delays[:-1])) <= 1

    def frames(self) -> Iterator[np.ndarray]:
        """uint8 [H, W, 4] each. Raises DataError where the file is damaged."""
        from PIL import Image

        try:
            with Image.open(self.path, formats=FORMATS) as file:
                for k in range(len(self.delays)):
                    file.seek(k + self._skip)
                    yield np.asarray(file.convert("RGBA"))
        except (*DAMAGE, Image.DecompressionBombError) as error:
            raise DataError(f"{self.path}: damaged animation ({error})") from None

    def write(self, path: Path, frames: Iterable[np.ndarray]) -> None:
        """Other frames, uint8 [H, W, 4], in this one's place: with its times and what stood beside it."""
        from PIL import Image

        shown = frames if self.alpha else (frame[..., :3] for frame in frames)
        if FORM.get(Image.registered_extensions()[path.suffix.lower()], "") == ".png":
            beside = self._beside
            before = beside["before"] if "before" in beside else chunks_for(beside)
            with path.open("wb") as file:
                for piece in png.encode_apng(shown, self.delays, self.plays, before, beside.get("behind", ())):
                    file.write(piece)
            return
        pictures = (Image.fromarray(np.ascontiguousarray(frame)) for frame in shown)
        first = next(pictures)
        form = Image.registered_extensions()[path.suffix.lower()]
        options = pillow_options(form, self._beside)
        if form == "WEBP":
            options.update(duration=[round(delay * 1000) for delay in self.delays], loop=self.plays)
        packed = io.BytesIO()
        first.save(packed, form, save_all=True, append_images=pictures, **options)
        path.write_bytes(packed.getvalue())
