"""Acknowledge: a signed 1.5 KB webhook to durable bytes and 2xx, through the real door."""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load
from benchmarks.samples import Sample
from benchmarks.signing import signed
from local import doors
from local.doors import Door, door

KEY = "private-key-of-betterez-webhooks-application"
BASELINES = Path(__file__).resolve().parent / "baselines"
CONNECTIONS = 32
_BODY_BYTES = 1500
_WARMING_REQUESTS = 500


@dataclass(frozen=True, slots=True)
class Contender:
    """One server under the same load."""

    label: str
    source: Path
    target: str = "echo"
    flush_delay_ms: int = 0


RECEIVE = doors.ROOT / "functions" / "receive" / "main.py"
SIGNED_INSERT = "signature check and grouped SQLite insert"
CONTENDERS = (
    Contender("receive", RECEIVE, "receive"),
    Contender("default framework echo (sync)", BASELINES / "echo_sync.py"),
    Contender("asynchronous framework echo", BASELINES / "echo_async.py"),
    Contender(SIGNED_INSERT, BASELINES / "signed_insert.py"),
)
FLUSH_DELAYS_MS = (1, 3)


def slowed(delay_ms: int) -> tuple[Contender, Contender]:
    """Return the door and its limit on a disk whose flush takes so much longer."""
    return (
        Contender("receive", BASELINES / "receive_slow_flush.py", "receive", delay_ms),
        Contender(SIGNED_INSERT, BASELINES / "signed_insert.py", "echo", delay_ms),
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


def answered(contender: Contender, requests: int) -> Sample:
    """Put one server under load and return what was seen; `p50_us` and `p99_us` are latencies. Raises if any is refused."""
    body = body_of(_BODY_BYTES)
    headers = signed("betterez", body, KEY)
    with tempfile.TemporaryDirectory() as folder, _started(contender, Path(folder)) as running:
        load.run(running.port, "/betterez", headers, body, requests=_WARMING_REQUESTS, connections=CONNECTIONS)
        seen = load.run(running.port, "/betterez", headers, body, requests=requests, connections=CONNECTIONS)
        peak = peak_kib_of(running.process.pid)
    if seen.not_ok:
        raise RuntimeError(f"{contender.label} refused {seen.not_ok} of the benchmark's own requests")
    latencies = {"p50_us": seen.percentile_us(50), "p99_us": seen.percentile_us(99)}
    return Sample(seen.requests, seen.elapsed_ns, peak, latencies)


def peak_kib_of(process_id: int) -> int:
    """Return the largest resident memory of a running server or of a worker of it; 0 where the kernel does not tell."""
    children = Path(f"/proc/{process_id}/task/{process_id}/children")
    workers = children.read_text(encoding="ascii").split() if children.exists() else []
    return max(_peak_kib(each) for each in (str(process_id), *workers))


def _peak_kib(process_id: str) -> int:
    status = Path(f"/proc/{process_id}/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii")) if status.exists() else None
    return int(found[1]) if found else 0


@contextmanager
def _started(contender: Contender, folder: Path) -> Iterator[Door]:
    environ = {
        "ASIENTO_HOME": str(folder),
        "ASIENTO_PROVIDERS": "betterez",
        "ASIENTO_SECRET_BETTEREZ_WEBHOOK": KEY,
        "BARE_DATABASE": str(folder / "bare.db"),
        "FLUSH_DELAY_MS": str(contender.flush_delay_ms),
        "WORKERS": "1",
    }
    with door(contender.target, contender.source, doors.free_port(), environ) as running:
        yield running
