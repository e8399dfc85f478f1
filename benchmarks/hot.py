"""Hot entities: one ticket with thousands of facts takes the next one as fast as its first, and slows no neighbour."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.homes import BATCH, batches, warmed_contracts
from benchmarks.peers.probe import timed_ns
from benchmarks.samples import Sample
from benchmarks.templates import KEYS, SALES, Template
from local.demo.homes import opened
from shared.domain.deliveries import Delivery
from shared.pipeline.derive import derive_deliveries
from shared.runtime import wiring
from shared.runtime.ids import new_delivery_id

_TENTH = 10


def derived_hot(folder: str, facts: int) -> Sample:
    """Derive so many changes of one ticket: `first_ns` is the time of the first tenth, the sample that of the last."""
    contracts = warmed_contracts()
    changes = list(_changes(facts))
    tenth = facts // _TENTH
    with opened(Path(folder), KEYS) as parts:
        world = replace(wiring.deriving(parts), contracts=contracts)

        def derive(deliveries: list[Delivery]) -> int:
            now = datetime.now(UTC)
            return timed_ns(lambda: [derive_deliveries(part, world, now) for part in batches(deliveries, BATCH)])

        first_ns = derive(changes[:tenth])
        derive(changes[tenth:-tenth])
        last_ns = derive(changes[-tenth:])
    return Sample(tenth, last_ns, more={"first_ns": first_ns})


def _changes(count: int) -> Iterator[Delivery]:
    """Yield changes of one ticket, each later than the one before."""
    model = next(each for each in Template.of(SALES).deliveries(SALES) if b'"ticket.updated"' in each.body)
    event = json.loads(model.body)
    for at in range(count):
        changed_at = datetime.fromisoformat(event["data"]["updatedAt"]["value"]) + timedelta(seconds=at)
        moment = {"value": f"{changed_at:%Y-%m-%dT%H:%M:%S.000Z}", "offset": 0}
        body = {**event, "id": f"{at:08x}{event['id'][8:]}", "data": {**event["data"], "updatedAt": moment}}
        yield replace(model, delivery_id=new_delivery_id(model.received_at), body=json.dumps(body).encode())
