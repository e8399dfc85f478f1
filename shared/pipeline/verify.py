"""Verify: everything that Asiento keeps is recomputed from the raw bytes, and the first thing that differs is named.

    seals ─▶ raw bytes ─▶ signatures ─▶ facts ─▶ ledger ─▶ certificates and what viz shows

Deliveries are streamed once: each is held against its signature and derived again into an empty ledger. Nothing that is
verified is changed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import structlog

from shared.contracts.holding import Holding
from shared.domain.deliveries import Delivery
from shared.domain.seals import Seal
from shared.domain.times import ALL_TIME
from shared.pipeline.derive import Deriving, derive_deliveries
from shared.pipeline.restoring import Restore, as_kept
from shared.pipeline.state_hash import state_hash
from shared.pipeline.verification.certified import Certificates, LedgerNow, check_certificates
from shared.pipeline.verification.findings import Area, Findings
from shared.pipeline.verification.replayed import Ledgers, check_facts, check_ledger
from shared.pipeline.verification.sealed import OVERDUE_AFTER, Sealed, check_seals
from shared.pipeline.verification.signatures import check_signature
from shared.pipeline.verification.streams import ILLEGIBLE, deliveries_by_name, legible
from shared.ports.ledger_store import LedgerStore
from shared.ports.provider import Provider
from shared.ports.raw_store import RawStore
from shared.ports.seal_store import SealStore
from shared.ports.secrets import Secrets
from shared.ports.warehouse import Warehouse

log = structlog.get_logger("verify")

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Verifying:
    """What verifying needs of the world, and an empty ledger to replay into."""

    raw: RawStore
    seals: SealStore
    ledger: LedgerStore
    empty_ledger: LedgerStore
    warehouse: Warehouse
    providers: Mapping[str, Provider]
    secrets: Secrets
    code_version: str
    contracts: Holding | None = None
    restored: Restore = as_kept
    """How a kept delivery becomes what came."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying came to, area by area, and what it stands on."""

    findings: tuple[Findings, ...]
    raw_count: int
    state_hash: str
    head: Seal | None
    """The last seal: note its hash elsewhere, and later runs can be asked for it."""

    @property
    def holds(self) -> bool:
        """Return whether nothing differs."""
        return all(found.holds for found in self.findings)

    def of(self, area: Area) -> Findings:
        """Return what was found of one area."""
        return next(found for found in self.findings if found.area is area)


def verify(
    world: Verifying, now: datetime, *, expected_head: str = "", on_progress: Callable[[int], None] = lambda _: None
) -> Verification:
    """Recompute everything as of `now`; `on_progress` is told how many deliveries were taken at a time.

    Best on a system at rest: what is derived while this runs may be named as different. Raises TransientError if a store
    is down.
    """
    found = {area: Findings(area) for area in Area}
    sealed = check_seals(world.raw, world.seals, found[Area.SEALS], now, expected_head)
    certificates = Certificates.load(world.warehouse)
    raw_count = 0
    for count in _replay(world, now, sealed, certificates, found):
        raw_count += count
        on_progress(count)
    ledgers = Ledgers(world.ledger, world.empty_ledger, world.raw, world.providers)
    check_facts(ledgers, found[Area.FACTS])
    check_ledger(ledgers, found[Area.LEDGER])
    stored_hash = _check_state_hash(world, found[Area.LEDGER])
    ledger_now = LedgerNow(raw_count, stored_hash, _last_attempt_ms(world.ledger), world.code_version, sealed.chain)
    check_certificates(certificates, world.warehouse, ledger_now, found[Area.CERTIFICATES])
    _tell(found.values())
    return Verification(tuple(found.values()), raw_count, stored_hash, sealed.head)


def _replay(
    world: Verifying, now: datetime, sealed: Sealed, certificates: Certificates, found: Mapping[Area, Findings]
) -> Iterator[int]:
    """Stream every delivery once: check its signature and derive it, if it has an outcome, into the empty ledger."""
    deriving = Deriving(world.providers, world.raw, world.empty_ledger, world.code_version, world.contracts)
    deliveries = legible(deliveries_by_name(world.raw, ALL_TIME), "raw object", found[Area.SEALS])
    while batch := [delivery for _, delivery in islice(deliveries, _BATCH)]:
        for delivery in batch:
            certificates.add(delivery)
            check_signature(
                delivery,
                world.providers,
                world.secrets,
                found[Area.SIGNATURES],
                restored=world.restored,
                is_attested=sealed.attests(delivery),
            )
        waiting = world.ledger.without_verdict([delivery.delivery_id for delivery in batch])
        derive_deliveries([each for each in batch if each.delivery_id not in waiting], deriving, now)
        for delivery in batch:
            if delivery.delivery_id in waiting:
                _note_waiting(delivery, now, found[Area.FACTS])
        yield len(batch)


def _note_waiting(delivery: Delivery, now: datetime, found: Findings) -> None:
    if now - delivery.received_at > OVERDUE_AFTER:
        found.differs(
            f"delivery {delivery.delivery_id} has had no outcome for more than a day; reconcile announces it again"
        )
    else:
        found.cannot_check(f"delivery {delivery.delivery_id} has no outcome yet")


def _check_state_hash(world: Verifying, found: Findings) -> str:
    """Return the state hash of the stored ledger, empty where it cannot be read; the replay must give the same."""
    replayed = state_hash(world.empty_ledger.entities())
    try:
        stored = state_hash(world.ledger.entities())
    except ILLEGIBLE:
        stored = ""
    if stored != replayed:
        found.differs(f"the state hash is {stored or 'not to be had'} and a replay gives {replayed}")
    return stored


def _last_attempt_ms(ledger: LedgerStore) -> int:
    last_ms = 0
    for _, verdict in legible(
        ((each.delivery_id, each) for each in ledger.verdicts()), "outcome", Findings(Area.FACTS)
    ):
        last_ms = max(last_ms, verdict.attempts[-1].at_ms)
    return last_ms


def _tell(findings: Iterable[Findings]) -> None:
    for found in findings:
        if not found.holds:
            log.error("differs", area=found.area.value, differing=found.differing, first=found.first)
