"""The address of a search's chief, and the connection of its workers."""

import os
import platform
import socket
import time
from contextlib import suppress

from kpalette.errors import ArgumentError, KPaletteError, reason

DEFAULT_CHIEF = "127.0.0.1:17070"

ANSWER = 120
"""Seconds that a worker waits for an answer; a chief that was stopped must be back within that time."""

_WAIT = 60.0  # seconds that a worker waits for its chief to start
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # "all addresses of this machine", and the address for connections to it


def split_address(address: str) -> tuple[str, int]:
    """Splits HOST:PORT, or [HOST]:PORT for IPv6; an ArgumentError for anything else."""
    host, colon, port = address.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ArgumentError(f"`--chief` must be HOST:PORT. Received: {address!r}")
    return host, int(port)


def set_role(host: str, port: int, *, tuner_id: str) -> None:
    """Sets the environment variables that KerasTuner reads, and turns off proxies between the machines.

    Args:
        host: host of the chief.
        port: port of the chief.
        tuner_id: name of this process; "chief" for the chief.
    """
    with suppress(ImportError):  # the default is an hour
        from keras_tuner.src.distribute import oracle_client

        oracle_client.TIMEOUT = ANSWER
    shown = f"[{host}]" if ":" in host else host
    os.environ |= {
        "KERASTUNER_TUNER_ID": tuner_id, "KERASTUNER_ORACLE_IP": shown, "KERASTUNER_ORACLE_PORT": str(port),
        "no_grpc_proxy": host, "GRPC_VERBOSITY": os.environ.get("GRPC_VERBOSITY", "NONE"),
    }  # fmt: skip


def check_port(host: str, port: int) -> None:
    """Raises an ArgumentError if the port is taken; the server itself would share it with another chief, silently."""
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        raise ArgumentError(f"the chief cannot listen at {host}:{port}: {reason(error)}") from None


def wait_for_chief(host: str, port: int) -> str:
    """Waits until the chief listens.

    Args:
        host: host of the chief.
        port: port of the chief.

    Returns:
        The host to connect to.

    Raises:
        KPaletteError: if no chief listens within a minute.
    """
    host = _ANY.get(host, host)
    deadline = time.monotonic() + _WAIT
    while True:
        try:
            with socket.create_connection((host, port), timeout=5):
                return host
        except OSError as error:
            if time.monotonic() > deadline or isinstance(error, socket.gaierror):
                raise KPaletteError(
                    f"no chief answers at {host}:{port} ({reason(error)}): start it first, and see that its --chief "
                    f"is an address that {platform.node()} can reach"
                ) from None
            time.sleep(1.0)
