"""How much of what was painted over is found again in compressed films, and how much else is taken for it?

    python benchmarks/detecting.py [--frames N] [--tolerance N] [--json FILE]

Two films: the bundled game session in true colour, and a made-up landscape (gradients, clouds, grain, moving things).
One fifth of the 16x16 positions (a tube), and rectangles at any place, are painted in one colour; x264 at three
qualities (yuv420p) and JPEG pictures compress that. `blocks` is `restore --detect`, `colour` is `--detect '#rrggbb'`
on the rectangles. *Found* is the share of the painted pixels, *false* that of all others that are farther than four
pixels from them, *clean* what is taken for damage in the same film without any.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from realtime import SAMPLE, load

from hstmae.atomic import write_text
from hstmae.film.reading import FilmReader
from hstmae.games.palette import pack_rgb
from hstmae.masks.detect import detect
from hstmae.masks.growing import dilate
from hstmae.masks.painted import TOLERANCE
from hstmae.masks.tubes import TubeSpec, tube_mask

COLOURS = {"magenta": 0xFF00FF, "green": 0x00FF00, "black": 0x000000, "grey": 0x808080, "white": 0xFFFFFF}
CODECS = ("crf 18", "crf 23", "crf 28", "jpeg 75")
RIM = 4


def landscape(frames: int, height: int = 240, width: int = 320, seed: int = 0) -> np.ndarray:
    """uint8 [T, H, W, 3]: a sky that gets brighter, clouds, ground with structure, two things that move, grain."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0 : width * 2].astype(np.float32)

    def smooth(scale: int) -> np.ndarray:
        small = rng.standard_normal((height // scale + 2, 2 * width // scale + 2)).astype(np.float32)
        big = Image.fromarray(small).resize((2 * width, height), Image.Resampling.BICUBIC)
        return np.asarray(big)

    sky = np.stack([90 + y * 0.35, 140 + y * 0.3, np.minimum(215 + y * 0.15, 255)], -1)
    cloud = np.clip(smooth(48) + 0.5 * smooth(16) - 0.6, 0, 1)[..., None]
    sky = sky * (1 - cloud) + np.array([252, 253, 255]) * cloud
    ground = np.array([70, 95, 40]) + smooth(24)[..., None] * 18 + smooth(6)[..., None] * 14 + smooth(3)[..., None] * 9
    horizon = height * 0.6 + 12 * np.sin(x[0] / 37) + 5 * np.sin(x[0] / 11)
    scene = np.where((y > horizon)[..., None], ground, sky)
    made = np.empty((frames, height, width, 3), np.uint8)
    for t in range(frames):
        frame = scene[:, t * 2 % width : t * 2 % width + width].copy()
        for k, colour in enumerate(([200, 40, 30], [245, 230, 60])):
            at_y, at_x = height * (0.35 + 0.3 * k), (width * (0.2 + 0.5 * k) + 3 * t * (1 - 2 * k)) % width
            frame[(y[:, :width] - at_y) ** 2 + (x[:, :width] - at_x) ** 2 < 18**2] = colour
        frame += rng.normal(0, 2, frame.shape)
        made[t] = frame.clip(0, 255).round()
    return made


def compressed(clip: np.ndarray, codec: str) -> np.ndarray:
    """The clip after it went through a codec."""
    name, quality = codec.split()
    if name == "jpeg":
        made = []
        for frame in clip:
            file = io.BytesIO()
            Image.fromarray(frame).save(file, "JPEG", quality=int(quality))
            made.append(np.asarray(Image.open(file)))
        return np.stack(made)
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", 30, options={"crf": quality})
            stream.width, stream.height, stream.pix_fmt = clip.shape[2], clip.shape[1], "yuv420p"
            for frame in clip:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
        reader = FilmReader(path)
        return np.stack([reader.rgb(frame) for frame in reader.frames()])


def rectangles(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    """bool [T, H, W]: rectangles that stay for some frames, and a small one that stays for all, like a logo."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape[:3], bool)
    for _ in range(8):
        first, top, left = (int(rng.integers(0, n)) for n in (shape[0], shape[1] - 24, shape[2] - 24))
        mask[first : first + 24, top : top + int(rng.integers(10, 60)), left : left + int(rng.integers(10, 90))] = True
    mask[:, 9:25, shape[2] - 61 : shape[2] - 15] = True
    return mask


def measured(
    clip: np.ndarray, mask: np.ndarray, fill: int, codec: str, named: bool, tolerance: int
) -> dict[str, float]:
    """Shares of what was painted and of the rest that are taken for damage."""
    painted = np.where(mask[..., None], np.array([fill >> 16 & 255, fill >> 8 & 255, fill & 255], np.uint8), clip)
    found, _ = detect(pack_rgb(compressed(painted, codec)), None, fill if named else None, tolerance)
    far = ~dilate(mask, RIM)
    return {"found": float(found[mask].mean()), "false": float(found[far].mean())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--tolerance", type=int, default=TOLERANCE)
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    episode = load(SAMPLE)
    assert episode.palette is not None
    films = {"game": episode.palette[episode.frames[: args.frames]], "landscape": landscape(args.frames)}
    rows: list[dict[str, Any]] = []
    print(f"{'film':10s} {'codec':8s} {'colour':8s}   blocks: found   false    colour: found   false")
    for film, clip in films.items():
        tube = np.broadcast_to(tube_mask(clip.shape[1:3], TubeSpec(0.2, 3)), clip.shape[:3])
        for codec in CODECS:
            clean = compressed(clip, codec)
            packed = pack_rgb(clean)
            falsely = detect(packed, None)[0].mean()
            for name, fill in COLOURS.items():
                blocks = measured(clip, tube, fill, codec, False, args.tolerance)
                colour = measured(clip, rectangles(clip.shape), fill, codec, True, args.tolerance)
                alone = float(detect(packed, None, fill, args.tolerance)[0].mean())
                rows.append({"film": film, "codec": codec, "colour": name, "blocks": blocks, "named": colour,
                             "clean": float(falsely), "clean_named": alone})  # fmt: skip
                print(f"{film:10s} {codec:8s} {name:8s}       {blocks['found']:8.2%} {blocks['false']:7.3%}       "
                      f"{colour['found']:8.2%} {colour['false']:7.3%}  (clean {alone:.3%})", flush=True)  # fmt: skip
            print(f"{film:10s} {codec:8s} clean, blocks: {falsely:.3%}", flush=True)
    if args.json:
        write_text(args.json, json.dumps({"rows": rows}, indent=2))


if __name__ == "__main__":
    main()
