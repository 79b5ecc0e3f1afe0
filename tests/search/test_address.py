import os
import socket

import pytest

from kpalette.errors import ArgumentError, KPaletteError
from kpalette.search import address
from kpalette.search.address import check_port, set_role, split_address, wait_for_chief
from tests.conftest import load


@pytest.mark.parametrize(
    ("text", "parts"), [("10.0.0.5:7000", ("10.0.0.5", 7000)), ("[::1]:80", ("::1", 80)), ("chief:1", ("chief", 1))]
)
def test_host_and_port(text, parts):
    assert split_address(text) == parts


@pytest.mark.parametrize("text", ["", "host", ":80", "host:", "host:http", "host:0", "host:65536", "host:²"])
def test_what_is_no_address(text):
    with pytest.raises(ArgumentError, match="`--chief` must be HOST:PORT. Received: "):
        split_address(text)


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ArgumentError, match=f"the chief cannot listen at 127.0.0.1:{port}: "):
            check_port("127.0.0.1", port)
        assert wait_for_chief("0.0.0.0", port) == "127.0.0.1"
    check_port("127.0.0.1", port)


def test_no_chief(monkeypatch):
    monkeypatch.setattr(address, "_WAIT", 0.0)
    with pytest.raises(KPaletteError, match="no chief answers at 127.0.0.1:1 .*: start it first") as error:
        wait_for_chief("127.0.0.1", 1)
    assert "\n" not in str(error.value)


def test_keras_tuner_is_told(monkeypatch):
    load("keras_tuner")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    set_role("::1", 99, tuner_id="worker-1")
    assert {name: os.environ[f"KERASTUNER_{name}"] for name in ("TUNER_ID", "ORACLE_IP", "ORACLE_PORT")} == {
        "TUNER_ID": "worker-1", "ORACLE_IP": "[::1]", "ORACLE_PORT": "99",
    }  # fmt: skip
