"""Ports for servers that are stopped and started again where their clients look for them."""

import random
import socket

from sandbox.processes import NotReady

# Below the ports that the system gives to clients: while the server is away, a client that keeps on calling a port of
# that range may be given the very port that it calls, is then connected to itself, and the server cannot come back.
PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on at the moment.

    Raises:
        NotReady: none was found.
    """
    for port in random.sample(PORTS, 50):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise NotReady(f"No free port between {PORTS.start} and {PORTS.stop}.")
