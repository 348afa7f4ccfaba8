"""localstripe on the loopback, in a process of its own: customers, payments, refunds, subscriptions."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager

from ...ports import free_port

PROGRAM = """
import os, sys, threading
from aiohttp import web
from localstripe import resources
from localstripe.server import app
resources.Store.dump_to_disk = lambda self: None  # nothing on the disk, and nothing that lasts
def end_with_tests():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=end_with_tests, daemon=True).start()
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


@contextmanager
def local_stripe() -> Generator[str]:
    """Run it for as long as its input is held open, so that tests that are killed leave it not behind; give its address."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(port)], stdin=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "localstripe has ended"
                assert time.monotonic() < deadline, "localstripe does not start"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
