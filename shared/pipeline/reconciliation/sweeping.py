"""Sweeping: the open exceptions of some kinds become exactly those whose cause is there now."""

from collections.abc import Collection, Iterable

from shared.domain.facts import EntityKey
from shared.domain.findings import ExceptionKind, FinanceException, Sighting
from shared.pipeline.reconciliation.chunks import chunks
from shared.ports.casebook import Casebook

CHUNK = 500


def sweep(
    casebook: Casebook, kinds: Collection[ExceptionKind], found: Iterable[FinanceException], by: Sighting
) -> dict[str, int]:
    """Open what is found and not open, close what is open and not found; return the counts.

    `found` is every exception of these kinds that exists; it is streamed. A sweep that breaks off has closed nothing.
    """
    seen = opened = 0
    for exceptions in chunks(found, CHUNK):
        opened += casebook.see_exceptions(exceptions)
        seen += len(exceptions)
    return {"exceptions": seen, "opened": opened, "closed": casebook.close_unseen(kinds, by)}


def is_known_as_not_found(casebook: Casebook, key: EntityKey) -> bool:
    """Return whether people hear already that the provider does not know an entity: one case, one exception."""
    return any(casebook.exceptions(kinds=(ExceptionKind.NOT_FOUND,), subject=str(key)))


def is_known_at_its_trip(casebook: Casebook, key: EntityKey) -> bool:
    """Return whether people hear already that a ticket and the manifest of its trip do not agree."""
    kinds = (ExceptionKind.PASSENGER_WITHOUT_TICKET, ExceptionKind.TICKET_WITHOUT_SEAT)
    return any(casebook.exceptions(kinds=kinds, subject=str(key)))


def is_decided_as_not_found(casebook: Casebook, key: EntityKey) -> bool:
    """Return whether people have decided what is to become of an entity that the provider does not know."""
    episodes = list(casebook.exceptions(kinds=(ExceptionKind.NOT_FOUND,), subject=str(key), is_open=False))
    return bool(episodes) and episodes[-1].is_settled
