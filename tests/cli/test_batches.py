import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from kpalette import read_image, recolor, write_image
from kpalette.batch.manifest import MANIFEST_NAME
from kpalette.files import PART_PREFIX
from kpalette.images.picture import Picture

COLORS = "orange,saddlebrown,purple,green"
BATCH = 14
"""Pictures of a batch that is stopped after the first few."""


def pictures_below(folder: str) -> list[str]:
    found = [os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names]
    return sorted(name for name in found if not name.endswith(MANIFEST_NAME))


@pytest.fixture
def tree(small):
    """Pictures in folders, and other files."""
    for name in ("in/a.png", "in/sub/b.jpg", "in/sub/deep/c.webp", "in/.hidden/d.png", "in/._a.png", "in/old.gif"):
        os.makedirs(os.path.dirname(name), exist_ok=True)
        write_image(name, small)
    open("in/sub/notes.txt", "w").close()
    return small


def test_recursive_mirrors_folders(kp, tree):
    result = kp("recolor", "in", "-r", "-p", COLORS, "-o", "out")
    assert (result.code, result.out) == (0, b"")
    assert pictures_below("out") == [
        "a.recolored.png", "old.gif.recolored.png", "sub/b.recolored.jpg", "sub/deep/c.recolored.webp"
    ]  # fmt: skip
    np.testing.assert_array_equal(read_image("out/a.recolored.png").rgb, recolor(tree, COLORS))
    assert kp("recolor", "in", "-p", COLORS, "-o", "flat").code == 0
    assert pictures_below("flat") == ["a.recolored.png", "old.gif.recolored.png"]


def test_recursive_beside_the_sources_and_again(kp, tree):
    assert kp("recolor", "in", "-r", "-p", COLORS).code == 0
    assert "sub/deep/c.recolored.webp" in pictures_below("in")
    assert not os.path.exists(f"in/{MANIFEST_NAME}")  # removed, since all pictures beside their sources are done
    assert kp("recolor", "in", "-r", "-p", COLORS, "--force").code == 0
    assert len(pictures_below("in")) == 7 + 4


def test_the_output_may_lie_in_the_input(kp, tree):
    for _ in range(2):
        assert kp("recolor", "in", "-r", "-p", COLORS, "-o", "in/out", "--force").code == 0
    assert len(pictures_below("in/out")) == 4


def test_resume_does_what_is_left_or_has_changed(kp, tree):
    arguments = ("recolor", "in", "-r", "-p", COLORS, "-o", "out", "--resume")
    assert kp(*arguments).code == 0
    write_image("in/new.png", tree)
    write_image("in/a.png", 255 - tree, overwrite=True)
    os.remove("out/sub/b.recolored.jpg")
    result = kp(*arguments)
    assert result.err.splitlines() == [
        "[1/5] out/a.recolored.png",
        "[2/5] out/new.recolored.png",
        "[3/5] out/old.gif.recolored.png (done before)",
        "[4/5] out/sub/b.recolored.jpg",
        "[5/5] out/sub/deep/c.recolored.webp (done before)",
    ]
    np.testing.assert_array_equal(read_image("out/a.recolored.png").rgb, recolor(255 - tree, COLORS))
    other = kp(*arguments, "--lightness", "0.5")
    assert other.code == 1
    assert "5 of 5 pictures failed" in other.err
    assert "out/a.recolored.png exists already" in other.err


def test_resume_tries_failures_again(kp, tree):
    with open("in/a.png", "r+b") as stream:
        stream.truncate(100)
    arguments = ("recolor", "in", "-r", "-p", COLORS, "-o", "out", "--resume")
    assert "1 of 4 pictures failed" in kp(*arguments).err
    entries = [json.loads(line) for line in open(f"out/{MANIFEST_NAME}")]
    assert entries[0]["settings"]["model"] == "palettenet"
    failed = next(entry for entry in entries if entry.get("state") == "failed")
    assert "in/a.png" in failed["error"]
    write_image("in/a.png", tree, overwrite=True)
    assert kp(*arguments).code == 0


def test_resume_replaces_only_its_own_results(kp, tree):
    arguments = ("recolor", "in", "-p", COLORS, "-o", "out", "--resume")
    assert kp(*arguments).code == 0
    assert kp("recolor", "in", "-p", "navy gold", "-o", "out", "--force").code == 0
    result = kp(*arguments)  # other settings have replaced them
    assert "2 of 2 pictures failed" in result.err
    assert "out/a.recolored.png exists already" in result.err
    np.testing.assert_array_equal(read_image("out/a.recolored.png").rgb, recolor(tree, "navy gold"))
    assert kp(*arguments, "--force").code == 0
    write_image("out/a.recolored.png", tree, overwrite=True)  # a retouch
    os.utime("in/a.png")
    assert "exists already" in kp(*arguments).err
    np.testing.assert_array_equal(read_image("out/a.recolored.png").rgb, tree)


def test_resume_knows_names_without_a_suffix(kp, small):
    os.rename("a.png", "a")
    write_image("b.png", small)
    for _ in range(2):
        result = kp("recolor", "a", "b.png", "-p", COLORS, "-o", "out", "--resume")
        assert result.code == 0
    assert result.err.count("(done before)") == 2


def test_a_batch_leaves_the_manifest_of_another_alone(kp, tree):
    assert kp("recolor", "in", "-p", COLORS, "--resume").code == 0
    assert kp("recolor", "in/a.png", "in/sub/b.jpg", "-p", "navy gold", "--force").code == 0
    assert os.path.exists(f"in/{MANIFEST_NAME}")


def test_notes_of_workers_have_the_same_form(kp, small, tmp_path):
    frames = [Image.fromarray(small), Image.fromarray(255 - small)]
    os.mkdir("in")
    for number in range(4):
        frames[0].save(f"in/{number}.gif", save_all=True, append_images=frames[1:])
    command = [sys.executable, "-m", "kpalette", "recolor", "in", "-p", COLORS, "-o", "out", "-j", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr.count("kpalette: note: in/") == 4
    assert len(done.stderr.splitlines()) == 8


@pytest.mark.parametrize(
    "command", ["palette in/0.tif", "recolor in -o out -p red,blue", "recolor in -o out -p red,blue -j 2"]
)
def test_c_libraries_print_nothing(small, tmp_path, command):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(4):
        path = folder / f"{number}.tif"
        Image.fromarray(small).save(path, compression="tiff_adobe_deflate")
        data = bytearray(path.read_bytes())
        data[100:150] = bytes(50)
        path.write_bytes(data)
    arguments = [sys.executable, "-m", "kpalette", *command.split()]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "damaged: decoder error" in done.stderr
    assert "ZIPDecode" not in done.stderr


def test_names_with_line_ends_stay_on_one_line(kp, small):
    with open("no\nc.png", "w") as stream:
        stream.write("no picture")
    assert kp("recolor", "no\nc.png", "-p", COLORS).err.startswith("kpalette: error: no\\nc.png is not a readable")
    result = kp("recolor", "a.png", "no\nc.png", "-p", COLORS, "-o", "out")
    assert len(result.err.splitlines()) == 4


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_names_that_are_not_files(kp, small, name):
    for command in ("lut", "compare", "palette"):
        result = kp(command, name, *(["-p", COLORS] if command != "palette" else []))
        assert result.code in (1, 2)


def test_two_processes_print_the_same_lines_in_the_same_order(kp, small):
    os.mkdir("in")
    for number in range(12):
        write_image(f"in/{number:02}.png", np.roll(small, number, 0))
    open("in/05.png", "w").close()
    one = kp("recolor", "in", "-p", COLORS, "-o", "one", "-j", "1")
    two = kp("recolor", "in", "-p", COLORS, "-o", "two", "-j", "2")
    assert one.err.replace("one/", "two/") == two.err
    assert one.code == two.code == 1
    for name in pictures_below("one"):
        np.testing.assert_array_equal(read_image(f"one/{name}").rgb, read_image(f"two/{name}").rgb)


def start_batch(folder, photo, *arguments: str) -> subprocess.Popen:
    """Starts a batch in a process group of its own, and waits for its first results."""
    os.makedirs(folder / "in", exist_ok=True)
    for number in range(BATCH):
        write_image(folder / f"in/{number:02}.png", np.tile(np.roll(photo, number, 0), (3, 3, 1)), overwrite=True)
    command = [sys.executable, "-m", "kpalette", "recolor", "in", "-p", COLORS, "-o", "out", *arguments]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True)
    limit = time.monotonic() + 60
    while time.monotonic() < limit and not (os.path.isdir(folder / "out") and len(os.listdir(folder / "out")) > 4):
        time.sleep(0.02)
    return process


def check_whole(folder) -> int:
    names = [name for name in pictures_below(folder / "out") if not name.startswith(PART_PREFIX)]
    for name in names:
        assert read_image(folder / "out" / name).rgb.shape == (384, 384, 3)
    return len(names)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_leaves_whole_results_and_a_batch_that_can_be_resumed(tmp_path, photo, jobs):
    process = start_batch(tmp_path, photo, "-j", jobs)
    os.killpg(process.pid, signal.SIGINT)
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 130
    assert printed.splitlines()[-1] == "kpalette: stopped"
    assert "Traceback" not in printed
    assert not [name for name in os.listdir(tmp_path / "out") if name.endswith(".part")]
    before = check_whole(tmp_path)
    assert 0 < before < BATCH
    process = start_batch(tmp_path, photo, "-j", jobs, "--resume")
    _, printed = process.communicate(timeout=120)
    assert process.returncode == 0, printed
    assert check_whole(tmp_path) == BATCH


def wait_for_workers(process: subprocess.Popen) -> None:
    """Waits until a process has started others; where /proc does not tell, as long as that takes on an idle machine."""
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    limit = time.monotonic() + (60 if os.path.exists(children) else 0.5)
    while time.monotonic() < limit:
        with contextlib.suppress(OSError), open(children) as stream:
            if stream.read().strip():
                return
        time.sleep(0.01)


@pytest.mark.parametrize(("workers", "delay"), [(False, 0.05), (False, 0.3), (True, 0.0), (True, 0.2), (True, 0.4)])
def test_ctrl_c_while_workers_start_is_quiet(tmp_path, photo, workers, delay):
    os.mkdir(tmp_path / "in")
    for number in range(20):
        write_image(tmp_path / f"in/{number}.png", np.tile(photo, (3, 3, 1)))
    command = [sys.executable, "-m", "kpalette", "recolor", "in", "-p", COLORS, "-o", "out", "-j", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    if workers:
        wait_for_workers(process)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)
    _, printed = process.communicate(timeout=60)
    if workers:  # earlier, Python itself is starting
        assert "Traceback" not in printed
        assert process.returncode == 130
        assert printed.splitlines()[-1] == "kpalette: stopped"


def test_sigterm_leaves_whole_results_and_no_unfinished_files(tmp_path, photo):
    process = start_batch(tmp_path, photo, "-j", "2")
    process.terminate()
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 143
    assert printed.splitlines()[-1] == "kpalette: stopped"
    assert "Traceback" not in printed
    assert not [name for name in os.listdir(tmp_path / "out") if name.endswith(".part")]
    assert 0 < check_whole(tmp_path) < BATCH


def test_a_killed_batch_can_be_resumed(tmp_path, photo):
    process = start_batch(tmp_path, photo, "-j", "2")
    process.kill()
    process.communicate(timeout=60)
    time.sleep(0.5)  # the workers end by themselves
    before = check_whole(tmp_path)
    assert 0 < before < BATCH
    done = subprocess.run(
        [sys.executable, "-m", "kpalette", "recolor", "in", "-p", COLORS, "-o", "out", "-j", "2", "--resume"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "(done before)" in done.stderr
    assert check_whole(tmp_path) == BATCH
    assert not [name for name in os.listdir(tmp_path / "out") if name.endswith(".part")]


def test_background_and_strip(kp, small):
    alpha = np.full(small.shape[:2], 128, np.uint8)
    write_image("t.png", Picture(small, alpha, metadata={"dpi": (300, 300)}))
    assert kp("recolor", "t.png", "-p", COLORS, "-o", "t.jpg", "--background", "white").code == 0
    assert read_image("t.jpg").alpha is None
    assert read_image("t.jpg").metadata["dpi"] == (300, 300)
    assert kp("recolor", "t.png", "-p", COLORS, "-o", "s.png", "--strip").code == 0
    assert read_image("s.png").metadata == {}
    result = kp("recolor", "t.png", "-p", COLORS, "-o", "u.jpg", "--background", "whit")
    assert result.err == "kpalette: error: unknown colour 'whit': did you mean 'white'?\n"
