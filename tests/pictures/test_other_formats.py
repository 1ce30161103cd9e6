"""Pictures of other formats than PNG: upright, with every sample, note and colour that was not missing."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from test_native import hidden

from hstmae.pictures.reading import look, read_native


@pytest.mark.parametrize("how", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_pictures_are_upright_and_lie_no_longer(how: int, name: str, tmp_path: Path) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (10, 14, 3)).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = how, "maker"
    picture.save(tmp_path / name, exif=exif, **({"lossless": True} if name.endswith("webp") else {}))
    with Image.open(tmp_path / name) as file:
        upright = np.asarray(ImageOps.exif_transpose(file).convert("RGB"))
    native = read_native((tmp_path / name).read_bytes())
    assert look(tmp_path / name).size == upright.shape[:2]
    np.testing.assert_array_equal(native.rgba[..., :3], upright)
    with Image.open(io.BytesIO(native.encoded())) as file:
        assert file.getexif().get(0x0112, 1) == 1 and file.getexif()[0x010F] == "maker"
        np.testing.assert_array_equal(np.asarray(file), upright)


@pytest.mark.parametrize(
    ("name", "mode", "ending"),
    [
        ("a.bmp", "RGB", ".bmp"),
        ("a.bmp", "L", ".bmp"),
        ("a.bmp", "P", ".bmp"),
        ("a.bmp", "1", ".bmp"),
        ("a.webp", "RGB", ".webp"),
        ("a.webp", "RGBA", ".webp"),
        ("a.tif", "RGB", ".tif"),
        ("a.tiff", "RGBA", ".tiff"),
        ("a.tif", "L", ".tif"),
        ("a.tif", "LA", ".tif"),
        ("a.tif", "P", ".tif"),
        ("a.tif", "1", ".tif"),
        ("a.tif", "I;16", ".tif"),
        ("a.tif", "CMYK", ".png"),
        ("a.gif", "P", ".png"),
        ("a.gif", "L", ".png"),
        ("a.jpg", "RGB", ".png"),
        ("a.jpg", "L", ".png"),
        ("a.jpg", "CMYK", ".png"),
        ("wrong.png", "JPEG", ".png"),
        ("wrong.jpg", "PNG", ".png"),
        ("wrong.png", "BMP", ".bmp"),
    ],
)
def test_other_formats(name: str, mode: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / name
    rng = np.random.default_rng(3)
    form = mode if mode in ("JPEG", "PNG", "BMP") else None
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 65536, (13, 21)).astype(np.uint16))
    else:
        picture = Image.fromarray(rng.integers(0, 256, (13, 21, 4)).astype(np.uint8))
        picture = picture.convert("RGB").convert(mode) if mode in ("P", "L", "1", "CMYK") else picture
        picture = picture.convert("RGB" if form else mode)
    picture.save(path, form, **({"lossless": True, "exact": True} if name.endswith("webp") else {}))
    assert (look(path).ending, look(path).size, look(path).frames) == (ending, (13, 21), 1)
    native = read_native(path.read_bytes())
    assert native.form == {".bmp": "BMP", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF", ".png": "PNG"}[ending]
    assert bool(native.lost) == (mode in ("CMYK", "JPEG") or (name.endswith(("gif", ".jpg")) and mode != "PNG"))
    mask, rgb = hidden(), np.full((13, 21, 3), (0, 0, 0), np.uint8)
    with Image.open(path) as file:
        stored = np.asarray(file) if mode in ("I;16", "1") else np.asarray(file.convert("RGBA"))
    after = native.with_colours(rgb, mask).encoded()
    with Image.open(io.BytesIO(after)) as file:
        assert file.format == native.form
        again = np.asarray(file) if mode in ("I;16", "1") else np.asarray(file.convert("RGBA"))
    np.testing.assert_array_equal(again[~mask], stored[~mask])
    assert (again[mask][..., :3] == 0).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
def test_deep_colours_of_tiff_files_become_png_of_the_same_samples(order: str, channels: int) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (5, 7, channels)).astype(np.uint16)
    data, tags = samples.astype(f"{order}u2").tobytes(), []
    values = [(256, 3, [7]), (257, 3, [5]), (258, 3, [16] * channels), (259, 3, [1]), (262, 3, [2]), (273, 4, [8]),
              (277, 3, [channels]), (278, 3, [5]), (279, 4, [len(data)])]  # fmt: skip
    values += [(338, 3, [2])] if channels == 4 else []
    extra, place = b"", 8 + len(data) + 2 + 12 * len(values) + 4
    for tag, kind, numbers in values:
        body = struct.pack(f"{order}{len(numbers)}{'HI'[kind == 4]}", *numbers)
        if len(body) > 4:
            body, extra = struct.pack(f"{order}I", place + len(extra)), extra + body
        tags.append(struct.pack(f"{order}HHI", tag, kind, len(numbers)) + body.ljust(4, b"\0"))
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8 + len(data))
    native = read_native(head + data + struct.pack(f"{order}H", len(values)) + b"".join(tags) + bytes(4) + extra)
    np.testing.assert_array_equal(native.samples, samples)
    assert native.form == "PNG" and read_native(native.encoded()).depth == 16


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.tif"])
def test_profiles_resolution_and_notes_of_other_formats_are_kept(name: str, tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "maker"
    more = {"a.jpg": {"dpi": (72, 144), "comment": "words"}, "a.tif": {"dpi": (72, 144), "description": "words"}}
    picture = Image.fromarray(np.zeros((4, 4, 3), np.uint8))
    picture.save(tmp_path / name, icc_profile=profile, exif=exif, **more.get(name, {}))
    with Image.open(io.BytesIO(read_native((tmp_path / name).read_bytes()).encoded())) as file:
        assert file.info["icc_profile"] == profile and file.getexif()[0x010F] == "maker"
        if name != "a.webp":
            assert [round(v) for v in file.info["dpi"]] == [72, 144]
            assert "words" in (file.tag_v2[270] if name == "a.tif" else file.text["Comment"])
