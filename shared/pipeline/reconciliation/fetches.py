"""Fetches: what the outbox asks for is fetched, and each answer enters as a delivery like any other.

The order makes it safe to die anywhere: the bytes are kept, then announced, then the message leaves the outbox. Dying in
between fetches again, and the same content twice is a duplicate.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import (
    AsientoError,
    NotFoundError,
    PausedError,
    SettingsError,
    TerminalError,
    TransientError,
)
from shared.domain.facts import EntityKey
from shared.domain.findings import (
    LEDGER_VERSION,
    ExceptionKind,
    FinanceException,
    Sighting,
    exception_id,
    fetch_refused,
    not_found,
)
from shared.domain.reconciliation import ReconciliationRun
from shared.pipeline.reconciliation.asking import pointers
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.world import PatientApi, Reconciling
from shared.ports.ledger_store import OutboxEntry

BATCH = 100
"""Messages taken at a time: so many answers are held in memory and kept in one go."""
RUN_TIME_MAX = timedelta(minutes=8)
"""After so long a run takes no further batch; what is left is due at once in the next."""
RETRY_DELAY_MIN = timedelta(seconds=30)
RETRY_DELAY_MAX = timedelta(hours=1)

_OPENED_HERE = (ExceptionKind.NOT_FOUND, ExceptionKind.FETCH_REFUSED)


def fetches(world: Reconciling, now: datetime) -> list[ReconciliationRun]:
    """Make the fetches that are due. What fails stays in the outbox, due again after a growing delay, and fails the run.

    What the provider does not know leaves the outbox and becomes an exception.
    """
    return [recorded(world, Work("fetches"), lambda by: _Fetching(world, now, by).run())]


def retry_delay(attempts: int) -> timedelta:
    """Return how long to wait after a failed try, by the tries before it: doubling from half a minute to an hour."""
    return min(RETRY_DELAY_MIN * (1 << min(attempts, 16)), RETRY_DELAY_MAX)


@dataclass(slots=True)
class _Batch:
    """The answers to one batch of messages."""

    deliveries: dict[EntityKey, Delivery] = field(default_factory=dict)
    unknown: list[EntityKey] = field(default_factory=list)
    failures: dict[EntityKey, AsientoError] = field(default_factory=dict)


class _Fetching:
    """One run of the job in progress."""

    def __init__(self, world: Reconciling, now: datetime, by: Sighting) -> None:
        self._world = world
        self._now = now
        self._by = by
        self._apis = {name: PatientApi(name, each.api) for name, each in world.counterparties.items()}
        self._counts: Counter[str] = Counter(messages=0, fetched=0, not_found=0, failed=0, opened=0, closed=0)
        self._failure: AsientoError | None = None

    def run(self) -> Report:
        for entries in self._due():
            wanted = _by_key(entries)
            batch = self._ask(wanted)
            self._keep(batch)
            self._tell(batch)
            self._settle_outbox(wanted, batch)
            self._count(entries, batch)
        self._counts["closed"] += self._close_overtaken()
        return Report(
            {**self._counts, "left": self._world.ledger.outbox_depth()}, self._failure or self._failure_before()
        )

    def _due(self) -> Iterator[list[OutboxEntry]]:
        while self._world.clock.now() < self._by.at + RUN_TIME_MAX:
            entries = self._world.ledger.outbox(BATCH, self._now)
            if not entries:
                return
            yield entries

    def _ask(self, wanted: Mapping[EntityKey, Sequence[OutboxEntry]]) -> _Batch:
        batch = _Batch()
        for key in wanted:
            try:
                batch.deliveries[key] = self._fetch(key)
            except NotFoundError:
                batch.unknown.append(key)
            except AsientoError as failure:
                batch.failures[key] = failure
        return batch

    def _fetch(self, key: EntityKey) -> Delivery:
        api = self._apis.get(key.provider)
        if api is None:
            raise SettingsError(f"{key.provider} cannot be asked for {key}: give its API's address and credentials")
        fetched = api.fetch(key)
        received_at = self._world.clock.now()
        return Delivery(
            delivery_id=self._world.new_delivery_id(received_at),
            provider=key.provider,
            channel=Channel.FETCH,
            received_at=received_at,
            target=fetched.target,
            headers={},
            body=fetched.body,
        )

    def _keep(self, batch: _Batch) -> None:
        deliveries = list(batch.deliveries.values())
        if deliveries:
            self._world.raw.create_all(deliveries)
            self._world.bus.publish_all([delivery.announcement for delivery in deliveries])

    def _tell(self, batch: _Batch) -> None:
        """Open an exception for what the provider does not know or cannot be asked; close those of what it answered."""
        ledger, casebook = self._world.ledger, self._world.casebook
        found = [self._not_found(key) for key in batch.unknown]
        found += [
            fetch_refused(key, ledger.entity(key), failure, self._by)
            for key, failure in batch.failures.items()
            if not isinstance(failure, TransientError)
        ]
        answered = [exception_id(kind, str(key)) for key in batch.deliveries for kind in _OPENED_HERE]
        if found:
            self._counts["opened"] += casebook.see_exceptions(found)
        if answered:
            self._counts["closed"] += casebook.close_exceptions(answered, self._by.at)

    def _not_found(self, key: EntityKey) -> FinanceException:
        entity = self._world.ledger.entity(key)
        return not_found(key, entity, pointers(entity, self._world.ledger) if entity else (), self._by)

    def _settle_outbox(self, wanted: Mapping[EntityKey, Sequence[OutboxEntry]], batch: _Batch) -> None:
        done = [entry.message.message_id for key in (*batch.deliveries, *batch.unknown) for entry in wanted[key]]
        self._world.ledger.outbox_done(done)
        for key, failure in batch.failures.items():
            again = [entry.message.message_id for entry in wanted[key]]
            self._world.ledger.outbox_failed(again, self._retry_at(failure, wanted[key]))

    def _retry_at(self, failure: AsientoError, entries: Sequence[OutboxEntry]) -> datetime:
        """Return when messages are due again: with the provider's return from a pause, otherwise later after each try."""
        if isinstance(failure, PausedError):
            return failure.until
        return self._now + retry_delay(max(entry.attempts for entry in entries))

    def _count(self, entries: Sequence[OutboxEntry], batch: _Batch) -> None:
        self._counts["messages"] += len(entries)
        self._counts["fetched"] += len(batch.deliveries)
        self._counts["not_found"] += len(batch.unknown)
        self._counts["failed"] += len(batch.failures)
        self._failure = self._failure or next(iter(batch.failures.values()), None)

    def _failure_before(self) -> AsientoError | None:
        """Return the failure of messages that failed before and are not due yet: a pause between tries is no success."""
        waiting = self._world.ledger.outbox(BATCH, self._now + RETRY_DELAY_MAX)
        again = sum(entry.attempts > 0 for entry in waiting)
        return TransientError(f"{again} fetches or more failed before and wait for their next try") if again else None

    def _close_overtaken(self) -> int:
        """Close the exceptions of what the ledger has since heard of in another way."""
        overtaken = [
            exception.exception_id
            for exception in self._world.casebook.exceptions(kinds=_OPENED_HERE)
            if self._has_heard_since(exception)
        ]
        return self._world.casebook.close_exceptions(overtaken, self._by.at) if overtaken else 0

    def _has_heard_since(self, exception: FinanceException) -> bool:
        entity = self._world.ledger.entity(EntityKey.parse(exception.subject))
        return entity is not None and entity.version_at_ms > int(exception.evidence[LEDGER_VERSION])


def _by_key(entries: Sequence[OutboxEntry]) -> dict[EntityKey, list[OutboxEntry]]:
    """Return the messages by what they ask for: each thing is fetched once, however many ask for it."""
    wanted: dict[EntityKey, list[OutboxEntry]] = {}
    for entry in entries:
        if entry.message.topic != "fetch":
            raise TerminalError(
                f"outbox message {entry.message.message_id} is for {entry.message.topic!r}, which nothing carries"
            )
        wanted.setdefault(entry.message.key, []).append(entry)
    return wanted
