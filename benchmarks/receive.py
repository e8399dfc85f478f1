"""Acknowledge: a signed 1.5 KB webhook to durable bytes and 2xx, through the real door."""

import hmac
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from benchmarks import load
from local import doors
from local.doors import Door, door

KEY = "private-key-of-betterez-webhooks-application"
BASELINES = Path(__file__).resolve().parent / "baselines"
CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Contender:
    """One server under the same load."""

    label: str
    source: Path
    target: str


CONTENDERS = (
    Contender("default framework echo (sync)", BASELINES / "echo_sync.py", "echo"),
    Contender("asynchronous framework echo", BASELINES / "echo_async.py", "echo"),
    Contender("the same, signature checked, grouped insert", BASELINES / "signed_insert.py", "echo"),
    Contender("receive", doors.ROOT / "functions" / "receive" / "main.py", "receive"),
)


def body_of(size: int) -> bytes:
    """Return a Betterez-like event of a size."""
    event = {
        "id": "1cb1da8f-8f49-40b2-8bdc-202a771c1da0",
        "attemptId": "a",
        "livemode": True,
        "event": "ticket.created",
    }
    frame = len(json.dumps({**event, "data": {"pad": ""}}))
    return json.dumps({**event, "data": {"pad": "x" * (size - frame)}}).encode()


def signature(body: bytes) -> dict[str, str]:
    """Return the header that signs a body now."""
    signed_at = str(int(time.time()))
    digest = hmac.new(KEY.encode(), signed_at.encode() + b"." + body, sha256).hexdigest()
    return {"x-btrz-signature": f"t={signed_at},s=x,s2={digest}", "content-type": "application/json"}


def measure(requests: int, runs: int) -> list[tuple[str, list[load.Load]]]:
    """Return, for each contender, what each run saw. Contenders take turns, so that a slow minute hits all alike."""
    seen: dict[str, list[load.Load]] = {contender.label: [] for contender in CONTENDERS}
    body = body_of(1500)
    for _ in range(runs):
        for contender in CONTENDERS:
            with tempfile.TemporaryDirectory() as folder, _started(contender, Path(folder)) as running:
                load.run(running.port, "/betterez", signature(body), body, requests=500, connections=CONNECTIONS)
                seen[contender.label].append(
                    load.run(
                        running.port, "/betterez", signature(body), body, requests=requests, connections=CONNECTIONS
                    )
                )
    return list(seen.items())


@contextmanager
def _started(contender: Contender, folder: Path) -> Iterator[Door]:
    environ = {
        "ASIENTO_HOME": str(folder),
        "ASIENTO_PROVIDERS": "betterez",
        "ASIENTO_SECRET_BETTEREZ_WEBHOOK": KEY,
        "BARE_DATABASE": str(folder / "bare.db"),
        "WORKERS": "1",
    }
    with door(contender.target, contender.source, doors.free_port(), environ) as running:
        yield running
