"""Values: from a provider's words, times and numbers to the values of a fact."""

import re
from collections.abc import Mapping
from datetime import datetime

from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Value
from shared.domain.times import to_ms

TICKETING_PLATFORM = "betterez"
"""The platform that sells: the sales that payment processors refer to are its sales."""

_SALE_ID = re.compile(r"[0-9a-f]{24}")


def stated(**values: Value | None) -> dict[str, Value]:
    """Return the values that an event states: what is absent, or empty text, is left out and overwrites nothing."""
    return {name: value for name, value in values.items() if value is not None and value != ""}


def in_our_words(table: Mapping[str, str], word: str, field: str) -> str:
    """Return the ledger's word for a provider's word of any case; raise UnreadableError(unknown_status) if there is none."""
    ours = table.get(word) or table.get(word.lower())
    if ours is None:
        raise UnreadableError(
            Quarantine.UNKNOWN_STATUS, f"{field} {word[:40]!r} is not known; add its meaning to the provider and replay"
        )
    return ours


def instant_ms(text: str) -> int:
    """Return the milliseconds since the epoch of ISO 8601 text with an offset; raise UnreadableError where it is none."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise UnreadableError(Quarantine.WRONG_TYPE, "an instant is text that is no ISO 8601 time") from None
    if instant.tzinfo is None:
        raise UnreadableError(Quarantine.WRONG_TYPE, "an instant has no offset, so it names no moment")
    return to_ms(instant)


def link(kind: EntityKind, provider: str, entity_id: str | None) -> str | None:
    """Return the one-line key of another entity, or None where there is no id."""
    return str(EntityKey(kind, provider, entity_id)) if entity_id else None


def platform_sale(reference: object) -> str | None:
    """Return the key of the platform's sale that a processor's reference names, or None if it does not look like one.

    A transaction id is 24 hex digits; whatever else merchants write into references is not taken for a sale.
    """
    if isinstance(reference, str) and _SALE_ID.fullmatch(reference):
        return str(EntityKey(EntityKind.SALE, TICKETING_PLATFORM, reference))
    return None
