"""Measuring: what arrived in an hour is counted from the kept bytes themselves, read as derive reads them.

So a measure is a function of the raw store and the code: it does not depend on whether derive has run, and hours from before
anybody watched are measured like any other.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from shared.domain.deliveries import OPERATOR, Channel, Delivery
from shared.domain.errors import UnreadableError
from shared.domain.facts import EntityKind, Reading
from shared.domain.findings import ExceptionKind
from shared.domain.quality import LATE_S, Counting, Measure, Series, hour_of, hour_start
from shared.domain.times import Window, to_ms
from shared.pipeline.reconciliation.world import Reconciling

SERIES_AN_HOUR_MAX = 400
"""How many series an hour may have; what comes beyond counts as `other`."""

_WATCHED_KINDS = tuple(kind for kind in ExceptionKind if kind is not ExceptionKind.ANOMALY)


class Measuring:
    """Measures hours. What is not kept by the hour (what was rejected, what became an exception) is read through once."""

    def __init__(self, world: Reconciling, hours: Iterable[int]) -> None:
        """Say which hours will be asked for."""
        self._world = world
        self._counting = {hour: Counting(SERIES_AN_HOUR_MAX) for hour in hours}
        if self._counting:
            self._count_rejected()
            self._count_unmatched()

    def hour(self, hour: int) -> Mapping[Series, int]:
        """Return the measures of one hour; deliveries are streamed."""
        counting = self._counting.pop(hour)
        start = hour_start(hour)
        for delivery in self._world.raw.deliveries(Window(start, start + timedelta(hours=1))):
            # What our own people decide comes when they decide: nothing is expected of it.
            if delivery.provider != OPERATOR:
                self._count(counting, delivery)
        return counting.counts

    def _count(self, counting: Counting, delivery: Delivery) -> None:
        provider = delivery.provider
        counting.add(Measure.VOLUME, provider, delivery.channel.value)
        counting.add(Measure.KEPT, provider)
        if delivery.channel is Channel.WEBHOOK:
            counting.add(Measure.ARRIVED, provider)
        reading = self._read(counting, delivery)
        if reading is not None:
            _count_content(counting, delivery, reading)
        self._count_departures(counting, delivery, reading.event_type if reading else "")

    def _read(self, counting: Counting, delivery: Delivery) -> Reading | None:
        reader = self._world.readers.get(delivery.provider)
        if reader is None:
            return None
        try:
            return reader.read(delivery)
        except UnreadableError as unreadable:
            counting.add(Measure.UNREADABLE, delivery.provider, unreadable.reason.value)
        except Exception:  # noqa: BLE001  derive tells of a defect of ours; here it is one more that could not be read
            counting.add(Measure.UNREADABLE, delivery.provider, "failed")
        return None

    def _count_departures(self, counting: Counting, delivery: Delivery, event_type: str) -> None:
        if self._world.contracts is None:
            return
        try:
            event, found = self._world.contracts.departures(delivery, event_type)
        except UnreadableError:
            return  # counted as unreadable
        for departure in dict.fromkeys(found):
            counting.add(Measure.DRIFT, delivery.provider, f"{event} {departure.path} {departure.kind.value}")

    def _count_rejected(self) -> None:
        """Count what the door rejected, by reason, in the hours in which it came."""
        for delivery, reason in self._world.rejected.rejected() if self._world.rejected else ():
            counting = self._counting.get(hour_of(delivery.received_at))
            if counting is not None:
                counting.add(Measure.REJECTED, delivery.provider, reason)
                counting.add(Measure.ARRIVED, delivery.provider)

    def _count_unmatched(self) -> None:
        """Count the money at risk in what became an exception, in the hours in which it did."""
        for exception in self._world.casebook.exceptions(kinds=_WATCHED_KINDS, is_open=None):
            counting = self._counting.get(hour_of(exception.opened_at))
            at_risk = exception.at_risk
            if counting is not None and at_risk is not None:
                counting.add(Measure.UNMATCHED, exception.provider, at_risk.currency, at_risk.amount_minor)


def _count_content(counting: Counting, delivery: Delivery, reading: Reading) -> None:
    provider = delivery.provider
    if delivery.channel is Channel.WEBHOOK:
        counting.add(Measure.EVENT, provider, reading.event_type)
        late_s = (to_ms(delivery.received_at) - reading.occurred_at_ms) // 1000 if reading.occurred_at_ms else 0
        for name, least_s in LATE_S.items():
            if late_s >= least_s:
                counting.add(Measure.LATE, provider, name)
    for route in {str(fact.values["route_id"]) for fact in reading.facts if "route_id" in fact.values}:
        counting.add(Measure.ROUTE, provider, route)
    for fact in reading.facts:
        amount, currency = fact.values.get("amount_minor"), fact.values.get("currency")
        if fact.key.kind is EntityKind.PAYMENT and amount is not None and currency is not None:
            counting.add(Measure.MONEY, provider, str(currency), abs(int(amount)))
