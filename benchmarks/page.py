"""The compare page in a real browser: seconds for a 12-megapixel picture, and memory over many uploads.

    make test-browser    # once: installs the browser
    python benchmarks/page.py [--uploads 200] [--repeat 5]

Seconds count from the moment a file is given to the page until its first classical result, and until all four results,
are on the screen: upload, decoding, extraction, figures and drawing included; the server is warm, the picture and the
palette new each time. The server's processor time, which a busy machine stretches less, stands beside them. Memory is
the server's resident set after every tenth upload of 2 megapixels, a new visitor each tenth time, a sample in between;
the line that is fitted through the second half tells whether it grows.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from kpalette.images.files import write_image
from kpalette.images.samples import sample_image
from kpalette.page.settings import METHODS

ROOT = Path(__file__).parents[1]
CLASSICAL = ("soft", "baseline")
PATIENCE = 180  # seconds


def make_photo(folder: Path, width: int, height: int, seed: int) -> Path:
    """A JPEG of so many pixels with a camera's noise, no two alike."""
    generator = np.random.default_rng(seed)
    image = cv2.resize(sample_image("coffee"), (width, height), interpolation=cv2.INTER_CUBIC)
    noise = generator.integers(-6, 7, (height, width, 1)) + generator.integers(-20, 21, 3)
    path = folder / f"photo{seed}.jpg"
    write_image(path, np.clip(image.astype(int) + noise, 0, 255).astype(np.uint8))
    return path


@contextmanager
def serve() -> Iterator[tuple[str, int]]:
    """The page on a free port: its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--server.port={port}", "--server.headless=true", "--server.address=127.0.0.1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", *options], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/", process.pid
    finally:
        process.terminate()
        process.wait()


def settle(page: Any) -> None:
    """Waits until nothing is being computed."""
    page.wait_for_timeout(300)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    page.wait_for_function(
        "!document.querySelector('[data-testid=stSkeleton]') && [...document.images].every(image => image.complete)"
    )


def new_tiles(page: Any, before: dict[str, str], methods: tuple[str, ...]) -> bool:
    """Whether the tiles of all these methods show other pictures than before."""
    now = sources(page)
    return all(now.get(method, "") not in ("", before.get(method, "")) for method in methods)


def sources(page: Any) -> dict[str, str]:
    """The address of the picture in each tile that has one."""
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[class*=st-key-tile_]')].map(t => [t.className.match("
        "/st-key-tile_(\\w+)/)[1], t.querySelector('img')?.complete ? t.querySelector('img').src : '']))"
    )
    return found


def seconds_of(page: Any, path: Path, waiting: tuple[tuple[str, ...], ...]) -> list[float]:
    """Gives a picture to the page; seconds until the tiles of each group show its results."""
    before, start, seconds = sources(page), time.perf_counter(), []
    page.locator('input[type="file"]').first.set_input_files(path)
    for methods in waiting:
        while not new_tiles(page, before, methods):
            if time.perf_counter() - start > PATIENCE:
                raise TimeoutError(f"no results of {', '.join(methods)} after {PATIENCE} s")
            time.sleep(0.02)
        seconds.append(time.perf_counter() - start)
    settle(page)
    return seconds


def time_large(browser: Any, url: str, pid: int, folder: Path, repeat: int) -> None:
    """Prints seconds for pictures of 12 megapixels, and what the server used of the processor."""
    rows = []
    for seed in range(repeat + 1):
        path = make_photo(folder, 4000, 3000, seed)
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(url)
        page.get_by_text("The best place is the top left").wait_for()
        settle(page)
        have = tuple(method for method in METHODS if sources(page).get(method))
        first = tuple(method for method in have if method in CLASSICAL)[-1:]
        used = cpu_seconds(pid)
        rows.append([*seconds_of(page, path, (first, have)), cpu_seconds(pid) - used])
        page.close()
    names = (f"first result ({first[0]})", f"all of {', '.join(have)}", "processor time of the server")
    for name, values in zip(names, zip(*rows[1:], strict=True), strict=True):
        print(f"12 MP, {name}: median {np.median(values):.2f} s, {min(values):.2f} to {max(values):.2f} of {repeat}")


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processor, in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Resident set of a process, MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def follow_memory(browser: Any, url: str, pid: int, folder: Path, uploads: int) -> None:
    """Prints the server's memory over many uploads."""
    memory, page = [], None
    for i in range(uploads):
        if i % 10 == 0:
            if page is not None:
                page.context.close()
            page = browser.new_context().new_page()
            page.goto(url + "?methods=soft-baseline&look=soft")
            page.get_by_text("The best place is the top left").wait_for()
            settle(page)
        path = make_photo(folder, 1600, 1200, 1000 + i)
        seconds_of(page, path, (("soft", "baseline"),))
        page.get_by_text(f"{path.name}, ").wait_for()
        settle(page)
        path.unlink()
        if i % 10 == 4:  # a sample in an upload's place
            page.get_by_role("button", name="Cat").click()
            page.get_by_text("chelsea.png, ").wait_for()
            settle(page)
        if i % 10 == 9:
            memory.append(resident(pid))
            print(f"after {i + 1} uploads: {memory[-1]:.0f} MB", flush=True)
    half = memory[len(memory) // 2 :]
    if len(half) > 1:
        slope = np.polyfit(np.arange(len(half)) * 10, half, 1)[0]
        print(f"second half: {min(half):.0f} to {max(half):.0f} MB, {slope * 1000:+.0f} KB an upload")


def main() -> None:
    """Runs both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    chromium = next((p for p in ("/usr/bin/chromium", "/usr/bin/google-chrome") if Path(p).exists()), None)
    with serve() as (url, pid), sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        if arguments.repeat:
            time_large(browser, url, pid, Path(folder), arguments.repeat)
        if arguments.uploads:
            follow_memory(browser, url, pid, Path(folder), arguments.uploads)
        browser.close()


if __name__ == "__main__":
    main()
