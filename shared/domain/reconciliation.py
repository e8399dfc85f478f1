"""Reconciliation: two views of the same entities are compared as of two moments, and what differs is a result to keep.

    provider's listing ─claims─┐
                               ├─ paired ─▶ differing ─▶ mismatches ─ conclude ─▶ differences: opened, seen again, closed
    ledger ────────────claims──┘

A difference is closed only by a later comparison that looked where it was last seen and no longer found it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from operator import attrgetter
from typing import NamedTuple

from shared.domain.entities import FIELDS
from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.fold import Entity
from shared.domain.money import AMOUNT_MINOR_MAX, CURRENCY_DECIMALS, Money
from shared.domain.times import Window, to_ms

LISTING_JOB = "transactions"
"""The job that compares the ledger with a provider's own listing: only its word answers for what could not be read."""

NO_CURRENCY = "XXX"
"""ISO 4217's code for no currency: under it stands the drift of amounts whose currency neither side names."""

AMOUNT_FIELDS: Mapping[EntityKind, tuple[str, ...]] = {
    EntityKind.SALE: ("total_minor",),
    EntityKind.TICKET: ("fare_minor",),
    EntityKind.PAYMENT: ("amount_minor",),
    EntityKind.REFUND: ("amount_minor",),
    EntityKind.SETTLEMENT_LINE: ("net_minor", "gross_minor"),
}
"""The amount by which each kind is compared: the first of these that is known. Kinds that are not here carry no money."""


class Claim(NamedTuple):
    """What one side says of one entity, as far as two sides can be compared. Amounts in minor units of `currency`.

    None and the empty status mean that the side does not say; nothing is then compared. Version 0 means no version.
    """

    key: EntityKey
    version_at_ms: int
    amount_minor: int | None
    currency: str | None
    status: str
    about: str = ""
    """What of the entity it speaks of, where that is not the entity itself: of a shift `card payments in ARS`."""


_CURRENCY = attrgetter("currency")


class Pair(NamedTuple):
    """The two claims about one entity; at least one is there."""

    provider: Claim | None
    ledger: Claim | None


class DifferenceType(StrEnum):
    """How two views of one entity differ; one entity may differ in several ways at once."""

    MISSING_IN_LEDGER = "missing_in_ledger"
    MISSING_AT_PROVIDER = "missing_at_provider"
    AMOUNT_DIFFERS = "amount_differs"
    CURRENCY_DIFFERS = "currency_differs"
    STATUS_DIFFERS = "status_differs"
    OLDER_IN_LEDGER = "older_in_ledger"
    """The provider tells of a later version than any that the ledger has heard of."""
    SETTLED_OTHERWISE = "settled_otherwise"
    """What settlement lines say came of a payment or refund is not its amount."""
    REFUNDS_SETTLED_OTHERWISE = "refunds_settled_otherwise"
    """What settlement lines say went back of a payment is not the sum of its refunds."""
    NOT_SETTLED = "not_settled"
    """No settlement line tells of a payment or refund within the time in which one is due."""
    PAID_OUT_OTHERWISE = "paid_out_otherwise"
    """A payout is not the sum of the lines that it pays out."""
    NO_LIVE_TICKET = "no_live_ticket"
    """A manifest lists somebody whose ticket the ledger lacks, or holds as given back."""
    NO_SEAT = "no_seat"
    """The ledger holds a live ticket for a trip whose manifest gives it no seat."""
    TOTAL_DIFFERS = "total_differs"
    """What the provider says that a cash session came to is not what the ledger's payments or refunds of it come to."""


class Mismatch(NamedTuple):
    """One way in which one comparison found one entity to differ."""

    type: DifferenceType
    provider: Claim | None
    ledger: Claim | None

    @property
    def key(self) -> EntityKey:
        """Return the entity that differs."""
        return key_of(Pair(self.provider, self.ledger))

    @property
    def difference_id(self) -> str:
        """Return the deterministic identity of the difference: who, what and how, in whatever run it is found."""
        parts = [self.key.provider, self.key.kind.value, self.key.entity_id, self.type.value]
        if self.about:
            parts.append(self.about)
        return sha256("\n".join(parts).encode()).hexdigest()

    @property
    def about(self) -> str:
        """Return what of the entity differs, where that is not the entity itself."""
        claim = self.provider or self.ledger
        return claim.about if claim else ""


def claim_of(entity: Entity) -> Claim:
    """Return what the ledger says of an entity, in the form in which it is compared."""
    registers = entity.registers
    amount = next((registers[name] for name in AMOUNT_FIELDS.get(entity.key.kind, ()) if name in registers), None)
    currency = registers.get("currency")
    status = registers.get("status")
    return Claim(
        entity.key,
        entity.version_at_ms,
        int(amount[0]) if amount else None,
        str(currency[0]) if currency else None,
        str(status[0]) if status else "",
    )


def key_of(pair: Pair) -> EntityKey:
    """Return the entity that a pair is about; raise ValueError if neither side is there."""
    claim = pair.provider or pair.ledger
    if claim is None:
        msg = "a pair needs at least one side"
        raise ValueError(msg)
    return claim.key


def paired(provider: Iterable[Claim], ledger: Iterable[Claim]) -> Iterator[Pair]:
    """Yield every entity of either side once, with both claims where both sides know it, holding one claim of each side.

    Both sides come in order of their keys, each key once; TerminalError names the side that does not, because a
    side out of order would make differences that are none.
    """
    theirs, ours = _in_order(provider, "provider"), _in_order(ledger, "ledger")
    their, our = next(theirs, None), next(ours, None)
    while their is not None or our is not None:
        if our is None or (their is not None and their.key < our.key):
            yield Pair(their, None)
            their = next(theirs, None)
        elif their is None or our.key < their.key:
            yield Pair(None, our)
            our = next(ours, None)
        else:
            yield Pair(their, our)
            their, our = next(theirs, None), next(ours, None)


def _in_order(claims: Iterable[Claim], side: str) -> Iterator[Claim]:
    before: EntityKey | None = None
    for claim in claims:
        if before is not None and claim.key <= before:
            raise TerminalError(
                f"the {side} side names {claim.key} after {before}; it must come in order of keys, each once"
            )
        before = claim.key
        yield claim


def _amounts_differ(provider: Claim, ledger: Claim) -> bool:
    return provider.amount_minor is not None and provider.amount_minor != ledger.amount_minor


def _currencies_differ(provider: Claim, ledger: Claim) -> bool:
    return provider.currency is not None and provider.currency != ledger.currency


def _statuses_differ(provider: Claim, ledger: Claim) -> bool:
    return provider.status not in ("", ledger.status) and "status" in FIELDS[ledger.key.kind]


def _ledger_is_older(provider: Claim, ledger: Claim) -> bool:
    return provider.version_at_ms > ledger.version_at_ms


COMPARISONS: tuple[tuple[DifferenceType, Callable[[Claim, Claim], bool]], ...] = (
    (DifferenceType.AMOUNT_DIFFERS, _amounts_differ),
    (DifferenceType.CURRENCY_DIFFERS, _currencies_differ),
    (DifferenceType.STATUS_DIFFERS, _statuses_differ),
    (DifferenceType.OLDER_IN_LEDGER, _ledger_is_older),
)
"""What is compared of an entity that both sides know; there is no tolerance."""


def differing(pair: Pair) -> list[Mismatch]:
    """Return each way in which the two sides of a pair differ; none if they agree."""
    if pair.ledger is None:
        return [Mismatch(DifferenceType.MISSING_IN_LEDGER, *pair)]
    if pair.provider is None:
        return [Mismatch(DifferenceType.MISSING_AT_PROVIDER, *pair)]
    provider, ledger = pair.provider, pair.ledger
    return [Mismatch(way, provider, ledger) for way, differ in COMPARISONS if differ(provider, ledger)]


@dataclass(slots=True)
class Tally:
    """The counts of both sides and the drift per currency (provider less ledger, minor units) of one comparison."""

    provider: int = 0
    ledger: int = 0
    drift_minor: dict[str, int] = field(default_factory=dict)

    def add(self, pair: Pair) -> None:
        """Count one pair. Where the provider lists an entity without its amount, there is nothing to subtract from."""
        self.provider += pair.provider is not None
        self.ledger += pair.ledger is not None
        if pair.provider is not None:
            if pair.provider.amount_minor is None:
                return
            fallback = pair.ledger.currency if pair.ledger else None
            self._drift(pair.provider.currency or fallback, pair.provider.amount_minor)
        if pair.ledger is not None and pair.ledger.amount_minor is not None:
            self._drift(pair.ledger.currency, -pair.ledger.amount_minor)

    def add_equal(self, claims: Sequence[Claim]) -> None:
        """Count claims of which both sides make the very same: they add nothing to the drift of their currencies."""
        self.provider += len(claims)
        self.ledger += len(claims)
        if set(map(_CURRENCY, claims)) - self.drift_minor.keys():
            for currency in {claim.currency for claim in claims if claim.amount_minor is not None}:
                self._drift(currency, 0)

    def _drift(self, currency: str | None, amount_minor: int) -> None:
        currency = currency or NO_CURRENCY
        self.drift_minor[currency] = self.drift_minor.get(currency, 0) + amount_minor


class RunStatus(StrEnum):
    """How a run ended. A failed run is failed until a later one succeeds; it is never taken for a success."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ReconciliationRun:
    """One run of one reconciliation job: what it looked at, when, how it ended and what it found.

    A comparison is of one provider, kind and window; a job that spans them all leaves `provider` empty and `kind` None.
    """

    run_id: str
    job: str
    provider: str
    kind: EntityKind | None
    window: Window | None
    started_at: datetime
    ended_at: datetime
    status: RunStatus
    error: str = ""
    """Of a failed run: the class of the error and its message; empty otherwise."""
    provider_as_of: datetime | None = None
    ledger_as_of: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    drift_minor: Mapping[str, int] = field(default_factory=dict)
    """Provider's total less the ledger's, minor units by currency."""
    opened: int = 0
    closed: int = 0

    @property
    def duration_ms(self) -> int:
        """Return how long the run took."""
        return to_ms(self.ended_at) - to_ms(self.started_at)

    @property
    def has_failed(self) -> bool:
        """Return whether the run did not do all that it set out to do."""
        return self.status is RunStatus.FAILED


@dataclass(frozen=True, slots=True)
class Difference:
    """A mismatch that is kept: which run opened it, which one saw it last and where, and which one closed it."""

    mismatch: Mismatch
    window: Window
    """Where it was last seen."""
    opened_by_run: str
    opened_at: datetime
    last_seen_run: str
    last_seen_at: datetime
    closed_by_run: str | None = None
    closed_at: datetime | None = None
    job: str = LISTING_JOB
    """The job that opened it: only that job looks for it again. The default is the one of what was kept without a name."""

    @property
    def difference_id(self) -> str:
        """Return the identity that it has in every run."""
        return self.mismatch.difference_id

    @property
    def at_risk(self) -> Money | None:
        """Return the money in question, unsigned, if it is known.

        What the amounts differ by; the whole amount where they agree, or are of two currencies.
        """
        _, provider, ledger = self.mismatch
        theirs = provider.amount_minor if provider else None
        ours = ledger.amount_minor if ledger else None
        their_currency = provider.currency if provider else None
        our_currency = ledger.currency if ledger else None
        if theirs is None or ours is None or (their_currency and our_currency and their_currency != our_currency):
            whole = ours if theirs is None else theirs
            return money_if_known(their_currency or our_currency, whole)
        return money_if_known(their_currency or our_currency, theirs - ours or theirs)


def money_if_known(currency: str | None, amount_minor: int | None) -> Money | None:
    """Return an amount without its sign; None where the amount or its currency is not known or not believed."""
    if amount_minor is None or currency not in CURRENCY_DECIMALS or abs(amount_minor) > AMOUNT_MINOR_MAX:
        return None
    return Money(currency, abs(amount_minor))


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What recording one comparison writes: the run with its counts of opened and closed, and the changed differences."""

    run: ReconciliationRun
    differences: tuple[Difference, ...]


def conclude(run: ReconciliationRun, found: Sequence[Mismatch], standing: Iterable[Difference]) -> Conclusion:
    """Decide what one comparison changes among the open differences of its provider and kind.

    `standing` holds at least the open ones that were found again and those last seen inside the run's window. What was
    found opens or stays open. What was not found is closed if this run is of the job that opened it, looked where it was
    last seen, and not before.
    """
    known = {difference.difference_id: difference for difference in standing}
    seen = {mismatch.difference_id: mismatch for mismatch in found}
    changed = [_seen(run, mismatch, known.get(identity)) for identity, mismatch in seen.items()]
    closed = [
        replace(difference, closed_by_run=run.run_id, closed_at=run.started_at)
        for identity, difference in known.items()
        if identity not in seen and _has_looked(run, difference)
    ]
    run = replace(run, opened=len(seen.keys() - known.keys()), closed=len(closed))
    return Conclusion(run, (*changed, *closed))


def _seen(run: ReconciliationRun, mismatch: Mismatch, known: Difference | None) -> Difference:
    if run.window is None:
        msg = f"run {run.run_id} of {run.job} found differences without a window to have looked in"
        raise ValueError(msg)
    if known is None:
        return Difference(mismatch, run.window, run.run_id, run.started_at, run.run_id, run.started_at, job=run.job)
    return replace(known, mismatch=mismatch, window=run.window, last_seen_run=run.run_id, last_seen_at=run.started_at)


def _has_looked(run: ReconciliationRun, difference: Difference) -> bool:
    """Return whether a run of the same job compared all of the window where it was last seen, and not earlier than that."""
    return (
        run.window is not None
        and run.job == difference.job
        and run.window.start <= difference.window.start
        and difference.window.end <= run.window.end
        and difference.last_seen_at <= run.started_at
    )
