"""Certifying: what a certificate says beside its figures and checks: what the month stands on, and what people accepted."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from shared.bi.certification import Grain, Judgement
from shared.bi.publication import ACCEPTED, COMPLETED
from shared.domain.times import to_ms
from shared.pipeline.shadows import Shadowed
from shared.ports.seal_store import SealStore
from shared.ports.warehouse import Row, Warehouse


def certificates(
    judgements: Iterable[Judgement],
    warehouse: Warehouse,
    *,
    build_id: str,
    as_of: datetime,
    stands_on: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """Yield the certificate of each judgement. `stands_on` holds what is the same for all of the build."""
    parameters = {"build_id": build_id}
    accepted = list(warehouse.query(ACCEPTED, parameters))
    completed = list(warehouse.query(COMPLETED, parameters))
    for judgement in judgements:
        grain = judgement.grain
        yield {
            "certificate_id": sha256(f"{build_id}\n{grain}".encode()).hexdigest()[:32],
            "build_id": build_id,
            **grain._asdict(),
            "passed": judgement.passed,
            "figures": judgement.figures_json,
            "checks": judgement.checks_json,
            "completeness": _json(_without(row, "month") for row in completed if row["month"] == grain.month),
            "accepted": _json(_without(row, *Grain._fields) for row in accepted if _concerns(row, grain)),
            "certified_at_ms": to_ms(as_of),
            **stands_on,
        }


def sealed(seals: SealStore | None) -> dict[str, Any]:
    """Return the head of the chain of seals and up to where it covers what came; both None where nothing is sealed."""
    head = seals.head() if seals else None
    return {
        "seal_head": head.seal_hash if head else None,
        "sealed_until_ms": to_ms(head.sealed_until) if head else None,
    }


def shadows_json(shadows: Iterable[Shadowed]) -> str:
    """Return what the other definitions of views came to."""
    return _json(asdict(shadowed) for shadowed in shadows)


def _concerns(row: Row, grain: Grain) -> bool:
    """Return whether a row is about a month, currency and business unit; what it leaves open is about all."""
    return all(row[part] is None or row[part] == mine for part, mine in grain._asdict().items())


def _without(row: Row, *names: str) -> Row:
    return {name: cell for name, cell in row.items() if name not in names}


def _json(rows: Iterable[Mapping[str, Any]]) -> str:
    return orjson.dumps(list(rows)).decode()
