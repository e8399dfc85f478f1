"""The least that a door does which keeps what it acknowledges: check one HMAC, insert one row, share the flush.

No adapters, no ports, no answers to anything but the good case: the limit for Asiento's receiving door.
"""

import asyncio
import hmac
import os
import sqlite3
import threading
import time
from collections import deque
from hashlib import sha256

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

KEY = os.environ["ASIENTO_SECRET_BETTEREZ_WEBHOOK"].encode()
DELAY_S = int(os.environ.get("FLUSH_DELAY_MS", "0")) / 1000
WAITING: deque[tuple[bytes, "asyncio.Future[None]"]] = deque()
WAKE = threading.Condition()
STARTED: list[threading.Thread] = []


def write() -> None:
    """Insert what waits, flush once, and let everybody go on."""
    connection = sqlite3.connect(os.environ["BARE_DATABASE"], isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS o (b BLOB);"
    )
    while True:
        with WAKE:
            while not WAITING:
                WAKE.wait()
            taken = [WAITING.popleft() for _ in range(len(WAITING))]
        if DELAY_S:
            time.sleep(DELAY_S)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO o VALUES (?)", ((body,) for body, _ in taken))
        connection.execute("COMMIT")
        taken[0][1].get_loop().call_soon_threadsafe(settle, taken)


def settle(taken: list[tuple[bytes, "asyncio.Future[None]"]]) -> None:
    """Let everybody go on whose row is durable."""
    for _, done in taken:
        done.set_result(None)


@functions_framework.aio.http
async def echo(request: Request) -> Response:
    """Check, insert, wait for the flush, answer."""
    body = await request.body()
    signed_at, _, digest = request.headers["x-btrz-signature"].split(",")
    expected = hmac.new(KEY, signed_at[2:].encode() + b"." + body, sha256).hexdigest()
    if not hmac.compare_digest(expected, digest[3:]):
        return Response("{}", 401)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with WAKE:
        if not STARTED:
            STARTED.append(threading.Thread(target=write, daemon=True))
            STARTED[0].start()
        WAITING.append((body, done))
        WAKE.notify()
    await done
    return Response("{}")
