"""Exceptions: what somebody must look at, with owner, age, money at risk, evidence and a suggested fix.

"Exception" is finance's word for it; the class is named FinanceException so that nobody takes it for a Python error. An
exception is derived from state: it is opened while a job finds its cause and closed when the cause is gone, or when a
person has decided that it may stay as it is.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from shared.domain.decisions import Decision
from shared.domain.errors import AsientoError
from shared.domain.facts import EntityKey
from shared.domain.fold import Entity
from shared.domain.manifests import SeatFinding
from shared.domain.money import Money
from shared.domain.outcomes import Outcome, Verdict
from shared.domain.reconciliation import AMOUNT_FIELDS, Claim, Difference, claim_of, money_if_known
from shared.domain.times import from_ms


class Owner(StrEnum):
    """The team that an exception waits for."""

    FINANCE = "finance"
    ENGINEERING = "engineering"
    OPERATIONS = "operations"
    """Those who run the services: they seat passengers."""


class ExceptionKind(StrEnum):
    """What is wrong."""

    UNLINKED = "unlinked"
    """Others point at an entity that nothing has described within the grace period."""
    NOT_FOUND = "not_found"
    """The provider was asked for an entity and does not know it."""
    FETCH_REFUSED = "fetch_refused"
    """The provider could not be asked for an entity, and asking again cannot help."""
    DIFFERENCE = "difference"
    """Provider and ledger differ, and fetching has not mended it."""
    CONFLICTING_ENTITY = "conflicting_entity"
    """Statements about one entity disagree in what may never change."""
    CONFLICTING_DELIVERY = "conflicting_delivery"
    """A delivery contradicts what may never change."""
    QUARANTINED_DELIVERY = "quarantined_delivery"
    """The meaning of a delivery is not certain."""
    FAILED_DELIVERY = "failed_delivery"
    """Our code failed on a delivery."""
    UNMATCHED = "unmatched"
    """Nothing that a payment, refund or settlement line could belong to was found in the time in which a match is due."""
    DOUBLE_SOLD_SEAT = "double_sold_seat"
    """Two passengers hold one seat at one time."""
    PASSENGER_WITHOUT_TICKET = "passenger_without_ticket"
    """A manifest lists somebody for whom the ledger has no live ticket."""
    TICKET_WITHOUT_SEAT = "ticket_without_seat"
    """A live ticket has no seat on the manifest of its trip."""
    OVER_CAPACITY = "over_capacity"
    """More passengers hold tickets for a trip than its vehicle has seats."""
    ANOMALY = "anomaly"
    """What arrives is not as it usually is at this hour of the week (docs/quality.md)."""


OWNERS: Mapping[ExceptionKind, Owner] = {
    ExceptionKind.UNLINKED: Owner.FINANCE,
    ExceptionKind.NOT_FOUND: Owner.FINANCE,
    ExceptionKind.FETCH_REFUSED: Owner.ENGINEERING,
    ExceptionKind.DIFFERENCE: Owner.FINANCE,
    ExceptionKind.CONFLICTING_ENTITY: Owner.FINANCE,
    ExceptionKind.CONFLICTING_DELIVERY: Owner.FINANCE,
    ExceptionKind.QUARANTINED_DELIVERY: Owner.ENGINEERING,
    ExceptionKind.FAILED_DELIVERY: Owner.ENGINEERING,
    ExceptionKind.UNMATCHED: Owner.FINANCE,
    ExceptionKind.DOUBLE_SOLD_SEAT: Owner.OPERATIONS,
    ExceptionKind.PASSENGER_WITHOUT_TICKET: Owner.FINANCE,
    ExceptionKind.TICKET_WITHOUT_SEAT: Owner.OPERATIONS,
    ExceptionKind.OVER_CAPACITY: Owner.OPERATIONS,
    ExceptionKind.ANOMALY: Owner.ENGINEERING,
}

SUGGESTED_FIXES: Mapping[ExceptionKind, str] = {
    ExceptionKind.UNLINKED: "look the entity up at the provider; resend its webhook or correct what points at it",
    ExceptionKind.NOT_FOUND: "ask the provider whether it was deleted; if it was, reverse it in the books with a decision",
    ExceptionKind.FETCH_REFUSED: "mend the provider's address, credentials or client; the fetch is tried again by itself",
    ExceptionKind.DIFFERENCE: "compare both sides at the provider; what is wrong there is corrected there and fetched again",
    ExceptionKind.CONFLICTING_ENTITY: "decide which statement is true and record the decision",
    ExceptionKind.CONFLICTING_DELIVERY: "see the conflicting entity that it speaks of; decide there",
    ExceptionKind.QUARANTINED_DELIVERY: "mend the provider's reading or the setting that the reason names, then replay it",
    ExceptionKind.FAILED_DELIVERY: "mend the code at the place that the log of the attempt names, then replay it",
    ExceptionKind.UNMATCHED: "look at the candidates that the evidence names; state the link with a decision, or accept it",
    ExceptionKind.DOUBLE_SOLD_SEAT: "give all but one of them another seat or trip at the provider, or refund them",
    ExceptionKind.PASSENGER_WITHOUT_TICKET: "find out at the provider who was paid for it; sell a ticket or free the seat",
    ExceptionKind.TICKET_WITHOUT_SEAT: "give the passenger a seat at the provider, or refund the ticket",
    ExceptionKind.OVER_CAPACITY: "send a larger vehicle or a second one, or move passengers to another trip at the provider",
    ExceptionKind.ANOMALY: "find out at the provider what changed; accept it if that is usual from now on, write it off if not",
}

_OF_OUTCOME: Mapping[Outcome, ExceptionKind] = {
    Outcome.CONFLICT: ExceptionKind.CONFLICTING_DELIVERY,
    Outcome.QUARANTINED: ExceptionKind.QUARANTINED_DELIVERY,
    Outcome.FAILED: ExceptionKind.FAILED_DELIVERY,
}

LEDGER_VERSION = "ledger_version_ms"
"""The evidence of what the ledger knew of an entity when it was asked for: 0 if nothing."""
PROVIDER_VERSION = "provider_version_ms"
"""The evidence of which version of an entity the provider told of."""

TRAVEL_DAY = "travel_day"
"""The evidence of the day of a trip: there the cause is looked for again."""
TICKETS_SHOWN_MAX = 100
"""How many tickets the evidence of one exception names."""

PASSING_EVIDENCE = frozenset(
    {LEDGER_VERSION, PROVIDER_VERSION, "awaited_since", "attempts", "opened_by_run", "last_seen_run"}
    | {"observed", "usual", "as_usual_between", "hours", "until"}
)
"""Evidence of when something was looked at or said, not of what: it changes while nothing changes that one could decide on."""


class Sighting(NamedTuple):
    """Which run finds the cause of an exception there, and as of when."""

    run_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FinanceException:
    """Something that somebody must look at. Its identity is what is wrong with what: the same one in every run.

    `subject` is an entity key in one line, or a delivery id; with DIFFERENCE the type of the difference follows.
    """

    kind: ExceptionKind
    subject: str
    provider: str
    opened_at: datetime
    last_seen_run: str
    last_seen_at: datetime
    at_risk: Money | None
    evidence: Mapping[str, str]
    closed_at: datetime | None = None
    decision: Decision | None = None
    """The latest that a person decided about it, maybe when it showed other evidence."""

    @property
    def exception_id(self) -> str:
        """Return the deterministic identity."""
        return exception_id(self.kind, self.subject)

    @property
    def owner(self) -> Owner:
        """Return the team that it waits for."""
        return OWNERS[self.kind]

    @property
    def suggested_fix(self) -> str:
        """Return what its owner can do about it."""
        return SUGGESTED_FIXES[self.kind]

    @property
    def is_open(self) -> bool:
        """Return whether somebody must still look at it."""
        return self.closed_at is None

    @property
    def evidence_digest(self) -> str:
        """Return the digest of what one decides on: the money at risk and what the evidence says, not when it was said."""
        lasting = {name: text for name, text in self.evidence.items() if name not in PASSING_EVIDENCE}
        content = {"at_risk": str(self.at_risk or ""), "evidence": lasting}
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def is_settled(self) -> bool:
        """Return whether a decision settles it as it stands."""
        return self.decision is not None and self.decision.settles(self.evidence_digest)

    @property
    def is_decided_otherwise(self) -> bool:
        """Return whether it was settled by a decision, and has come to show other evidence since."""
        return self.decision is not None and self.decision.choice.settles and not self.is_settled

    @property
    def assigned_to(self) -> str:
        """Return the person that it is assigned to; empty where it waits for its team."""
        return self.decision.assigned_to if self.decision else ""

    def age(self, now: datetime) -> timedelta:
        """Return for how long it has been open, or was until it was closed."""
        return (self.closed_at or now) - self.opened_at


def exception_id(kind: ExceptionKind, subject: str) -> str:
    """Return the identity of what is wrong with a subject."""
    return sha256(f"{kind.value}\n{subject}".encode()).hexdigest()


def seen_again(latest: FinanceException | None, seen: FinanceException) -> FinanceException | None:
    """Return what a run's sighting makes of an exception, of which `latest` is the last episode; None where nothing changes.

    One that is open keeps its age, one that is closed opens as a new episode; both keep the decision. One that a decision
    settles as it is seen is closed, or stays so. A sighting older than the last one of an open exception changes nothing.
    """
    if latest is None:
        return seen
    seen = replace(seen, decision=latest.decision)
    if not latest.is_open:
        return None if seen.is_settled else seen
    if seen.last_seen_at < latest.last_seen_at:
        return None
    return replace(seen, opened_at=latest.opened_at, closed_at=seen.last_seen_at if seen.is_settled else None)


def decided(latest: FinanceException, decision: Decision, at: datetime) -> FinanceException | None:
    """Return what a decision makes of an exception; None where it has heard of this one, or of a later one, before.

    An open exception that it settles is closed; one that shows other evidence by now stays open.
    """
    known = latest.decision
    if known is not None and (known == decision or known.decided_at > decision.decided_at):
        return None
    noted = replace(latest, decision=decision)
    return replace(noted, closed_at=at) if noted.is_open and noted.is_settled else noted


def unlinked(awaited: Entity, pointers: Iterable[Entity], by: Sighting) -> FinanceException:
    """Return the exception of an entity that nothing describes. At risk is what those that point at it amount to."""
    since = "" if awaited.awaited_since_ms is None else from_ms(awaited.awaited_since_ms).isoformat()
    pointing = list(pointers)
    evidence = {"awaited_since": since, "wanted_by": _named(pointing)}
    return _opened(
        ExceptionKind.UNLINKED, str(awaited.key), awaited.key.provider, by, at_risk=_total(pointing), evidence=evidence
    )


def not_found(key: EntityKey, entity: Entity | None, pointers: Iterable[Entity], by: Sighting) -> FinanceException:
    """Return the exception of an entity that the provider was asked for and does not know.

    At risk is what the ledger knows it to amount to, otherwise what those that point at it amount to.
    """
    pointing = list(pointers)
    evidence = {**_known(entity), "wanted_by": _named(pointing)}
    at_risk = _amount(entity) or _total(pointing)
    return _opened(ExceptionKind.NOT_FOUND, str(key), key.provider, by, at_risk=at_risk, evidence=evidence)


def fetch_refused(key: EntityKey, entity: Entity | None, error: AsientoError, by: Sighting) -> FinanceException:
    """Return the exception of an entity that cannot be asked for until something is mended."""
    evidence = {**_known(entity), "error": f"{type(error).__name__}: {error}"}
    return _opened(ExceptionKind.FETCH_REFUSED, str(key), key.provider, by, at_risk=_amount(entity), evidence=evidence)


def persisting(difference: Difference, by: Sighting) -> FinanceException:
    """Return the exception of a difference that fetching has not mended."""
    mismatch = difference.mismatch
    evidence = {
        "difference_id": difference.difference_id,
        "opened_by_run": difference.opened_by_run,
        "last_seen_run": difference.last_seen_run,
        "provider": _shown(mismatch.provider),
        "ledger": _shown(mismatch.ledger),
        PROVIDER_VERSION: _version(mismatch.provider),
        LEDGER_VERSION: _version(mismatch.ledger),
    }
    subject = " ".join(filter(None, (str(mismatch.key), mismatch.type.value, mismatch.about)))
    return _opened(
        ExceptionKind.DIFFERENCE, subject, mismatch.key.provider, by, at_risk=difference.at_risk, evidence=evidence
    )


def conflicting(entity: Entity, by: Sighting) -> FinanceException:
    """Return the exception of an entity about which statements disagree. At risk is what its amounts differ by."""
    evidence = {name: " or ".join(sorted(map(str, variants))) for name, variants in entity.variants.items()}
    if entity.disputed:
        evidence["events_with_two_contents"] = ", ".join(sorted(entity.disputed))
    names = AMOUNT_FIELDS.get(entity.key.kind, ())
    amounts = [int(value) for name in names for value in entity.variants.get(name, ())]
    at_risk = money_if_known(claim_of(entity).currency, max(amounts) - min(amounts)) if amounts else _amount(entity)
    return _opened(
        ExceptionKind.CONFLICTING_ENTITY, str(entity.key), entity.key.provider, by, at_risk=at_risk, evidence=evidence
    )


def unsettled(verdict: Verdict, provider: str, by: Sighting) -> FinanceException:
    """Return the exception of a delivery whose outcome needs attention."""
    evidence = {
        "object_name": verdict.object_name,
        "event_key": verdict.event_key,
        "reason": verdict.reason,
        "attempts": str(len(verdict.attempts)),
    }
    return _opened(_OF_OUTCOME[verdict.outcome], verdict.delivery_id, provider, by, at_risk=None, evidence=evidence)


def seated_wrongly(finding: SeatFinding, provider: str, by: Sighting) -> FinanceException:
    """Return the exception of what is wrong with the seats of a trip. Evidence names tickets, never their passengers."""
    trip = finding.trip
    evidence = {
        "manifest": str(trip.manifest or ""),
        TRAVEL_DAY: trip.travel_day,
        "route_id": trip.route_id,
        "service_id": trip.service_id,
        "tickets": ", ".join(map(str, finding.tickets[:TICKETS_SHOWN_MAX])),
    }
    if finding.seat:
        evidence["seat"] = finding.seat
    if finding.passengers:
        evidence |= {"passengers": str(finding.passengers), "capacity": str(trip.capacity)}
    if finding.mismatch is not None:
        evidence |= {"provider": _shown(finding.mismatch.provider), "ledger": _shown(finding.mismatch.ledger)}
    kind = ExceptionKind(finding.kind.value)
    return _opened(kind, finding.subject, provider, by, at_risk=finding.at_risk, evidence=evidence)


def _opened(
    kind: ExceptionKind,
    subject: str,
    provider: str,
    by: Sighting,
    *,
    at_risk: Money | None,
    evidence: Mapping[str, str],
) -> FinanceException:
    return FinanceException(kind, subject, provider, by.at, by.run_id, by.at, at_risk, evidence)


def _known(entity: Entity | None) -> dict[str, str]:
    return {LEDGER_VERSION: str(entity.version_at_ms if entity else 0)}


def _named(entities: Iterable[Entity]) -> str:
    return ", ".join(str(entity.key) for entity in entities)


def _amount(entity: Entity | None) -> Money | None:
    if entity is None:
        return None
    claim = claim_of(entity)
    return money_if_known(claim.currency, claim.amount_minor)


def _total(entities: Iterable[Entity]) -> Money | None:
    """Return what entities amount to together; None where their currencies differ or none has an amount."""
    amounts = [amount for amount in map(_amount, entities) if amount is not None]
    if len({amount.currency for amount in amounts}) != 1:
        return None
    return money_if_known(amounts[0].currency, sum(amount.amount_minor for amount in amounts))


def _shown(claim: Claim | None) -> str:
    if claim is None:
        return "absent"
    amount = "no amount" if claim.amount_minor is None else f"{claim.amount_minor} minor units of {claim.currency}"
    return f"{amount}; status {claim.status or 'unstated'}"


def _version(claim: Claim | None) -> str:
    return str(claim.version_at_ms if claim else 0)
