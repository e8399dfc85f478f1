"""The company's records, indexed as the APIs list them."""

from collections.abc import Iterable
from functools import cached_property
from typing import TypeVar

from local.simulator.company import Company
from local.simulator.moments import day_of
from local.simulator.records import Sale, Ticket, Trip

Item = TypeVar("Item")


class RecordsServed:
    """Indexes over the records as they stand at the end of the season, each made when it is first needed."""

    def __init__(self, company: Company) -> None:
        """Serve a company that changes no more."""
        self.company = company

    @cached_property
    def trips(self) -> dict[str, Trip]:
        """Trips by manifest id, in order of their day."""
        return {
            trip.manifest_id: trip for trip in sorted(self.company.trips.values(), key=lambda trip: trip.day_start_ms)
        }

    @cached_property
    def trips_by_day(self) -> dict[str, list[Trip]]:
        """Trips by local day of departure, `YYYY-MM-DD`."""
        return _grouped((day_of(trip.day_start_ms).isoformat(), trip) for trip in self.trips.values())

    @cached_property
    def tickets_by_manifest(self) -> dict[str, list[Ticket]]:
        """Tickets of every status by the trip for which they stand now."""
        return _grouped((ticket.trip.manifest_id, ticket) for ticket in self.company.tickets.values())

    @cached_property
    def sales_by_shift(self) -> dict[str, list[Sale]]:
        """Transactions by the shift in which they were made."""
        return _grouped((sale.counter.shift.id, sale) for sale in self.company.sales.values() if sale.counter.shift)


def _grouped(pairs: Iterable[tuple[str, Item]]) -> dict[str, list[Item]]:
    groups: dict[str, list[Item]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
