"""Manifests: what webhooks did not bring of a trip is fetched again, and its seats are held against the live tickets.

A trip is looked at before and after its departure: the window reaches a day ahead, and a day that is over stays in it for a
day or more. A travel day on which something is open is looked at again however old it is, so that what is mended is closed.

Where provider and ledger tell otherwise of one ticket, fetching may mend it: it is asked for and kept as a difference, and
people hear of it when it outlasts a grace. What the provider's own manifest shows to be wrong they hear of at once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

import structlog

from shared.domain.errors import TransientError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.findings import TRAVEL_DAY, ExceptionKind, FinanceException, Sighting, seated_wrongly
from shared.domain.fold import Entity
from shared.domain.manifests import HOLDS_SEAT, Seat, SeatFinding, Trip, seat_findings, ticket_without_seat
from shared.domain.reconciliation import Claim, Pair, ReconciliationRun, claim_of, differing
from shared.domain.times import Window, business_day, from_ms, to_ms
from shared.pipeline.reconciliation.asking import ask_for, ways_to
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.sweeping import sweep
from shared.pipeline.reconciliation.world import Reconciling
from shared.ports.provider import Listed, ManifestApi, ManifestListed, SeatListed

JOB = "manifests"
LOOK_AHEAD = timedelta(hours=24)
"""How long before its departure a trip is first looked at."""
MEND_WITHIN = timedelta(hours=2)
"""How long fetching may take to mend what the two sides tell otherwise, before people hear of it."""

KINDS = (
    ExceptionKind.DOUBLE_SOLD_SEAT,
    ExceptionKind.PASSENGER_WITHOUT_TICKET,
    ExceptionKind.TICKET_WITHOUT_SEAT,
    ExceptionKind.OVER_CAPACITY,
)
"""The kinds that this job opens and closes."""

_A_DAY = timedelta(days=1)

log = structlog.get_logger("reconcile")


def manifests(world: Reconciling, window: Window, now: datetime) -> list[ReconciliationRun]:
    """Look at the trips of every travel day of the window and a day ahead: one run a provider and day, then one for people.

    A provider that lists no manifests is left out.
    """
    runs: list[ReconciliationRun] = []
    findings: list[tuple[str, SeatFinding]] = []
    for name, counterparty in sorted(world.counterparties.items()):
        if counterparty.manifests is None:
            continue
        listing = _Listing(counterparty.manifests)
        for day in sorted(_days(world, name, window, now)):
            look = _Look(world, name, listing, day, now)
            runs.append(recorded(world, Work(JOB, name, EntityKind.TICKET, Window.of_days(day, day)), look.run))
            findings += ((name, finding) for finding in look.findings)
    if runs:
        failed = sum(run.has_failed for run in runs)
        runs.append(recorded(world, Work(JOB), lambda by: _tell(world, findings, failed, by)))
    return runs


def _days(world: Reconciling, provider: str, window: Window, now: datetime) -> set[date]:
    """Return the travel days to look at: those of the window and a day ahead, and those on which something is open."""
    end = max(window.end, now + LOOK_AHEAD) if window.start <= now <= window.end else window.end
    days = set(Window(window.start, end).days())
    for difference in world.casebook.open_differences(provider, EntityKind.TICKET):
        if difference.job == JOB:
            days.update(difference.window.days())
    open_exceptions = world.casebook.exceptions(kinds=KINDS, provider=provider)
    return days | {date.fromisoformat(exception.evidence[TRAVEL_DAY]) for exception in open_exceptions}


def _tell(world: Reconciling, findings: list[tuple[str, SeatFinding]], failed: int, by: Sighting) -> Report:
    """Make the open exceptions exactly those whose cause was found; leave them as they are where a day was not looked at."""
    if failed:
        raise TransientError(f"{failed} travel days could not be looked at; exceptions about seats stay as they are")
    lasting = {
        difference.difference_id
        for difference in world.casebook.open_differences(kind=EntityKind.TICKET)
        if difference.job == JOB and difference.opened_at <= by.at - MEND_WITHIN
    }
    due = [each for each in findings if each[1].mismatch is None or each[1].mismatch.difference_id in lasting]
    swept = sweep(world.casebook, KINDS, _exceptions(due, by), by)
    return Report({**swept, "waiting": len(findings) - len(due)})


def _exceptions(findings: list[tuple[str, SeatFinding]], by: Sighting) -> Iterator[FinanceException]:
    """Yield one exception for each thing that is wrong, although two trips may show it."""
    told: set[tuple[str, str]] = set()
    for provider, finding in findings:
        if (finding.kind.value, finding.subject) not in told:
            told.add((finding.kind.value, finding.subject))
            yield seated_wrongly(finding, provider, by)


class _Listing:
    """The provider's manifests day by day, of which it remembers who was listed the day before: coaches travel overnight."""

    def __init__(self, api: ManifestApi) -> None:
        self._api = api
        self._listed: dict[date, dict[EntityKey, Claim]] = {}

    def trips(self, day: date) -> list[ManifestListed]:
        """Return the trips of one day."""
        trips = list(self._api.list_manifests(day))
        self._remember(day, trips)
        return trips

    def claims_around(self, day: date) -> dict[EntityKey, Claim]:
        """Return what the manifests of a day and of the day before say of each ticket; what is held there stands."""
        before = day - _A_DAY
        if before not in self._listed:
            self._remember(before, list(self._api.list_manifests(before)))
        claims = dict(self._listed[before])
        for key, claim in self._listed[day].items():
            if key not in claims or claim.status in HOLDS_SEAT:
                claims[key] = claim
        self._listed = {day: self._listed[day]}
        return claims

    def _remember(self, day: date, trips: list[ManifestListed]) -> None:
        self._listed[day] = {seat.ticket.key: _claim(seat.ticket) for trip in trips for seat in trip.seats}


class _Look:
    """One look at the trips of one travel day. Both sides of the day are held in memory, less what is not compared."""

    def __init__(self, world: Reconciling, provider: str, listing: _Listing, day: date, now: datetime) -> None:
        self._world = world
        self._provider = provider
        self._listing = listing
        self._day = day
        self._now = now
        self._counts: Counter[str] = Counter(
            trips=0,
            seats=0,
            tickets=0,
            refetched_before_departure=0,
            refetched_after_departure=0,
            incomplete=0,
            asked=0,
        )
        self._fetch: dict[EntityKey, EntityKey] = {}
        """What to fetch to learn the whole of each listed ticket."""
        self.findings: list[SeatFinding] = []

    def run(self, _by: Sighting) -> Report:
        provider_as_of = self._world.clock.now()
        trips = self._listing.trips(self._day)
        ledger_as_of = self._world.clock.now()
        tickets = self._tickets()
        self._fetch_again(trips)
        findings = [finding for trip in trips for finding in self._compare(trip, tickets)]
        findings += self._left_out(trips, tickets)
        self._ask_about(findings)
        self._counts.update(finding.kind.value for finding in findings)
        self.findings = findings
        return Report(
            counts=dict(self._counts),
            mismatches=tuple(finding.mismatch for finding in findings if finding.mismatch is not None),
            provider_as_of=provider_as_of,
            ledger_as_of=ledger_as_of,
        )

    def _tickets(self) -> dict[EntityKey, tuple[Seat, Trip]]:
        """Return the ledger's tickets that depart on the day or in the night after it, with the trip that each names."""
        span = Window.of_days(self._day, self._day + _A_DAY)
        entities = self._world.ledger.occurred(EntityKind.TICKET, self._provider, span)
        return {entity.key: (_seat_of(entity), _trip_of(entity)) for entity in entities}

    def _fetch_again(self, trips: list[ManifestListed]) -> None:
        """Ask for every manifest of which the ledger lacks something, or holds it otherwise than it is listed."""
        wanted = [trip for trip in trips if self._is_wanted(trip)]
        self._ask(trip.listed.key for trip in wanted)
        refetched = self._counts["refetched_before_departure"] + self._counts["refetched_after_departure"]
        if refetched:
            log.warning("manifests refetched", provider=self._provider, day=str(self._day), count=refetched)

    def _is_wanted(self, trip: ManifestListed) -> bool:
        """Return whether a manifest must be fetched; count what its webhooks did not bring."""
        self._counts["trips"] += 1
        entity = self._world.ledger.entity(trip.listed.key)
        if entity is None or entity.is_awaited or differing(Pair(_claim(trip.listed), claim_of(entity))):
            self._counts[f"refetched_{'after' if self._has_departed(trip) else 'before'}_departure"] += 1
            return True
        is_incomplete = trip.capacity is not None and "capacity" not in entity.values
        self._counts["incomplete"] += is_incomplete
        return is_incomplete

    def _has_departed(self, trip: ManifestListed) -> bool:
        departures = [seat.departs_at_ms for seat in trip.seats if seat.departs_at_ms is not None]
        return min(departures) <= to_ms(self._now) if departures else self._day < business_day(self._now)

    def _compare(self, trip: ManifestListed, tickets: dict[EntityKey, tuple[Seat, Trip]]) -> Iterator[SeatFinding]:
        listed = [_seat_listed(seat) for seat in trip.seats]
        self._counts["seats"] += sum(seat.is_held for seat in listed)
        self._fetch.update({seat.ticket.key: seat.ticket.fetch for seat in trip.seats})
        known = {seat.key: ours for seat in listed if (ours := self._known(seat.key, tickets)) is not None}
        named = Trip(trip.listed.key, str(trip.travel_day), trip.route_id, trip.service_id, trip.capacity)
        yield from seat_findings(named, listed, known)

    def _known(self, key: EntityKey, tickets: dict[EntityKey, tuple[Seat, Trip]]) -> Seat | None:
        """Return what the ledger says of a listed ticket, which may hold it under another day."""
        if key in tickets:
            return tickets[key][0]
        entity = self._world.ledger.entity(key)
        return None if entity is None or entity.is_awaited else _seat_of(entity)

    def _left_out(
        self, trips: list[ManifestListed], tickets: dict[EntityKey, tuple[Seat, Trip]]
    ) -> Iterator[SeatFinding]:
        """Yield the live tickets of the day whom no manifest of the day, nor of the day before, lists to travel."""
        claims = self._listing.claims_around(self._day)
        manifest_of = {(trip.route_id, trip.service_id): trip for trip in trips}
        for key, (seat, trip) in tickets.items():
            if trip.travel_day != str(self._day) or not seat.is_held:
                continue
            self._counts["tickets"] += 1
            claim = claims.get(key)
            if claim is not None and claim.status in ("", *HOLDS_SEAT):
                continue
            listed = manifest_of.get((trip.route_id, trip.service_id))
            yield ticket_without_seat(trip._replace(manifest=listed.listed.key if listed else None), seat, claim)

    def _ask_about(self, findings: list[SeatFinding]) -> None:
        """Ask for what the two sides tell otherwise: by it the ledger learns what the provider knows."""
        for finding in findings:
            if finding.mismatch is None:
                continue
            key = finding.mismatch.key
            entity = self._world.ledger.entity(key)
            if key in self._fetch:
                self._ask([self._fetch[key]])
            elif entity is not None:
                self._ask(ways_to(entity, self._world))

    def _ask(self, keys: Iterable[EntityKey]) -> None:
        wanted = [key for key in dict.fromkeys(keys) if self._world.can_fetch(key)]
        ask_for(self._world.ledger, wanted, "manifest", self._now)
        self._counts["asked"] += len(wanted)


def _claim(listed: Listed) -> Claim:
    return Claim(listed.key, listed.version_at_ms, listed.amount_minor, listed.currency, listed.status)


def _seat_listed(listed: SeatListed) -> Seat:
    return Seat(_claim(listed.ticket), *listed[1:])


def _seat_of(ticket: Entity) -> Seat:
    """Return what the ledger says of a ticket; it holds no arrivals."""
    values = ticket.values
    seat, origin, destination = (str(values.get(name, "")) for name in ("seat", "origin", "destination"))
    return Seat(claim_of(ticket), seat, origin, destination, ticket.occurred_at_ms, None)


def _trip_of(ticket: Entity) -> Trip:
    """Return the trip that a ticket names; without a travel day, that of its departure."""
    values = ticket.values
    day = values.get("travel_day")
    if day is None and ticket.occurred_at_ms is not None:
        day = str(business_day(from_ms(ticket.occurred_at_ms)))
    return Trip(None, str(day), str(values.get("route_id", "")), str(values.get("service_id", "")), None)
