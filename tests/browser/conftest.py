"""The page on a server of its own, and a browser; skipped without KPALETTE_BROWSER=1: `make test-browser` sets it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from tests.conftest import find_program

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
PATIENCE = 180  # seconds, the limit of every wait: machines may be busy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("KPALETTE_BROWSER"):
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="needs a browser: make test-browser"))


@contextmanager
def serving(script: Path, log: Path) -> Iterator[str]:
    """The address of a page that runs as `make app` runs it; what its server says goes into `log`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--server.port={port}", "--server.headless=true", "--server.address=127.0.0.1"]
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(script), *options],
            cwd=ROOT,
            stdout=stream,
            stderr=stream,
        )
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health", process, log)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with serving(ROOT / "streamlit_app.py", log) as url:
        yield url
    assert "Traceback" not in log.read_text(), log.read_text()


def _wait(url: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    # Debian's Chromium where it is, else the one that `playwright install chromium` fetched.
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=find_program("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, server) -> Iterator[Any]:
    """Opens the page as a new visitor. At the end, no other host may have been contacted."""
    contexts, foreign = [], []

    def note(request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")):
            foreign.append(request.url)

    def open_page(
        query: str = "", *, width: int = 1440, height: int = 1000, scheme: str = "light", at: str = server
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
        )
        context.set_default_timeout(PATIENCE * 1000)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        page.on("request", note)
        page.goto(at + query)
        settle(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not foreign


def settle(page: Any) -> None:
    """Waits until a run of the page has ended and all of it is drawn; a click's own effect is waited for before."""
    page.get_by_text("The best place is the top left").wait_for()
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    page.wait_for_function(
        "!document.querySelector('[data-testid=stSkeleton], [data-stale=true]')"
        " && [...document.images].every(image => image.complete && image.naturalWidth)"
    )
    page.locator(".compare img.after").wait_for()
    page.locator('[data-testid="stVegaLiteChart"] :is(canvas, svg)').first.wait_for()


def state_of(page: Any) -> dict[str, str]:
    """The settings in the page's address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def settled(page: Any, before: dict[str, str]) -> dict[str, str]:
    """The settings in the address once they are others than before, which they are when a run has ended."""
    page.wait_for_url(lambda url: dict(parse_qsl(urlsplit(url).query)) != before)
    settle(page)
    return state_of(page)
