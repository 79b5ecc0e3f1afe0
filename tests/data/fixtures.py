"""Small sources of pictures: encoded ones, tar files, and an ArtBench-10 of twelve works in all its forms."""

import csv
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from kpalette.data.image_set import ImageSet, Item

STYLES = ["baroque", "ukiyo_e"]
COLUMNS = "name artist url is_public_domain length width label split cifar_index".split()


def picture(seed: int, *, height: int = 32, width: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encode(image: np.ndarray | Image.Image, *, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, form, **options)
    return stream.getvalue()


def write_tar(path: Path, files: dict[str, bytes], *, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return path


def image_set(*pictures: np.ndarray | bytes, names: list[str] | None = None) -> ImageSet:
    names = names or [f"{i}.png" for i in range(len(pictures))]
    items = (Item(n, "", lambda p=p: p) for n, p in zip(names, pictures, strict=True))
    return ImageSet("memory", tuple(items))


def works() -> list[dict[str, str]]:
    """The rows of the table: four works of training and two of test for each style, in CIFAR's mixed order."""
    rows = []
    for split, count in (("train", 8), ("test", 4)):
        for i in range(count):
            artist = f"artist-{i % 3}" if i else "théodore-(père)"
            rows.append(
                dict(
                    zip(
                        COLUMNS,
                        [f"{artist}_work_{split}-{i}.jpg", artist, "https://x", str(i % 2 == 0), "9", "9",
                         STYLES[i % 2], split, str(i)],
                        strict=True,
                    )
                )
            )  # fmt: skip
    return rows


def pixels(row: dict[str, str]) -> np.ndarray:
    return picture(int(row["cifar_index"]) + 100 * (row["split"] == "test"))


def table(rows: list[dict[str, str]]) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS)
    writer.writeheader()
    writer.writerows(rows[::-1])  # its order means nothing
    return stream.getvalue().encode()


def image_folder(*, split: bool) -> dict[str, bytes]:
    """Lossless pictures under the names of lossy ones, so that all forms hold the same pixels."""
    root = "artbench-10-imagefolder" + "-split" * split
    folders = {row["name"]: f"{row['split']}/{row['label']}" if split else row["label"] for row in works()}
    return {f"{root}/{folders[row['name']]}/{row['name']}": encode(pixels(row)) for row in works()}


def planes(rows: list[dict[str, str]]) -> np.ndarray:
    return np.stack([pixels(row).transpose(2, 0, 1).reshape(-1) for row in rows])


def batches() -> dict[str, list[dict[str, str]]]:
    rows = works()
    return {"data_batch_1": rows[:4], "data_batch_2": rows[4:8], "test_batch": rows[8:]}


def cifar_python(*, keys: type = str, protocol: int = 2) -> dict[str, bytes]:
    def key(text: str) -> str | bytes:
        return text if keys is str else text.encode()

    files = {"artbench-10-batches-py/meta": pickle.dumps({key("styles"): STYLES}, protocol)}
    for name, rows in batches().items():
        labels = [STYLES.index(row["label"]) for row in rows]
        batch = {key("data"): planes(rows), key("labels"): labels, key("batch_label"): name}
        files[f"artbench-10-batches-py/{name}"] = pickle.dumps(batch, protocol)
    return files


def cifar_binary() -> dict[str, bytes]:
    files = {"artbench-10-batches-bin/batches.meta.txt": "\n".join(STYLES).encode() + b"\n\n"}
    for name, rows in batches().items():
        labels = np.array([[STYLES.index(row["label"])] for row in rows], np.uint8)
        files[f"artbench-10-batches-bin/{name}.bin"] = np.hstack([labels, planes(rows)]).tobytes()
    return files
