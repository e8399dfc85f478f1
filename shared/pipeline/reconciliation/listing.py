"""Listing: asking a provider what it lists of a kind in a window, once for all jobs of a pass."""

from datetime import timedelta

from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.times import Window
from shared.pipeline.reconciliation.listings import Listing
from shared.pipeline.reconciliation.world import Counterparty, Reconciling
from shared.ports.provider import Listed

CLOCK_SKEW_MAX = timedelta(minutes=15)
"""How far a provider's clocks may be apart: by so much a listing reaches beyond both ends of a window, so that what one of
them places just outside is not missing."""


def listed_now(world: Reconciling, counterparty: Counterparty, kind: EntityKind, window: Window) -> Listing:
    """Return what the provider lists now, and hold it for the other job of this pass that asks for the same window."""
    as_of = world.clock.now()
    listing = Listing(as_of, _listed_in(counterparty, kind, window))
    if world.listings is not None:
        world.listings.hold((counterparty.capabilities.name, kind, window), listing)
    return listing


def listed_in_pass(world: Reconciling, counterparty: Counterparty, kind: EntityKind, window: Window) -> Listing:
    """Return what the provider listed earlier in this pass, if that is held; otherwise what it lists now."""
    asked = counterparty.capabilities.name, kind, window
    held = world.listings.take(asked) if world.listings is not None else None
    return held or Listing(world.clock.now(), _listed_in(counterparty, kind, window))


def _listed_in(counterparty: Counterparty, kind: EntityKind, window: Window) -> dict[EntityKey, Listed]:
    """Return what is listed in a window and a little beyond: pages may shift while they are read, the newest version counts.

    Raises TerminalError where the client lists what was not asked for.
    """
    name = counterparty.capabilities.name
    listed: dict[EntityKey, Listed] = {}
    overlapping = Window(window.start - CLOCK_SKEW_MAX, window.end + CLOCK_SKEW_MAX)
    for each in counterparty.api.list_window(kind, overlapping):
        if (each.key.kind, each.key.provider) != (kind, name):
            raise TerminalError(f"asked for {kind.value} of {name}, its client lists {each.key}; mend client.py")
        before = listed.get(each.key)
        if before is None or before.version_at_ms <= each.version_at_ms:
            listed[each.key] = each
    return listed
