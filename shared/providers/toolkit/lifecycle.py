"""How far along its life a status says that an entity is: the step that decides between statements of one instant.

Providers tell times in seconds or milliseconds, and a payment may be made and refunded within one. Of two statements of
the same instant the one further along is the later one (shared/domain/facts.py, Version).
"""

from collections.abc import Mapping

from shared.domain.facts import EntityKey, EntityKind, Fact, Value, Version

_STEPS: Mapping[EntityKind, Mapping[Value, int]] = {
    EntityKind.SALE: {"pending": 0, "paid": 1, "expired": 3, "reversed": 3},
    EntityKind.TICKET: {
        "open": 1,
        "boarded": 2,
        "no_show": 2,
        "refunded": 3,
        "exchanged": 3,
        "void": 3,
        "expired": 3,
    },
    EntityKind.PAYMENT: {"pending": 0, "failed": 1, "success": 2, "refunded": 3, "charged_back": 4},
    # A refund that a bank sends back fails after it has succeeded.
    EntityKind.REFUND: {"pending": 0, "success": 1, "failed": 2},
    EntityKind.MANIFEST: {"planned": 0, "published": 1, "paused": 1, "canceled": 2},
    EntityKind.SETTLEMENT_LINE: {
        "pending": 0,
        "in_transit": 1,
        "paid": 2,
        "failed": 3,
        "canceled": 3,
        "warning_needs_response": 0,
        "warning_under_review": 1,
        "warning_closed": 3,
        "needs_response": 1,
        "under_review": 2,
        "won": 3,
        "lost": 3,
        "prevented": 3,
    },
}


def fact_at(at_ms: int, key: EntityKey, values: Mapping[str, Value]) -> Fact:
    """Return the statement of these values about an entity as of an instant; its `status` gives the step."""
    return Fact(key, Version(at_ms, _STEPS[key.kind].get(values["status"], 0) if "status" in values else 0), values)
