"""Readings: how the answer to a fetch is identified, and which channels a provider's bytes can come by."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import unquote

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, Fact, Reading
from shared.domain.times import to_ms
from shared.providers.toolkit.json_body import content_digest

_FINGERPRINT_LENGTH = 16


def fetched_thing(target: str) -> tuple[str, str]:
    """Return what a fetch asked for: the collection and the id, of `GET /operations/transactions/65f0…`."""
    segments = target.rpartition(" ")[2].partition("?")[0].rstrip("/").split("/")
    if len(segments) < 3:  # noqa: PLR2004  "", the collection and the id
        raise UnreadableError(Quarantine.UNKNOWN_EVENT_TYPE, "the target of a fetch names no collection and id")
    return segments[-2], unquote(segments[-1])


def fetched_reading(
    delivery: Delivery, key: EntityKey, version_at_ms: int, content: Mapping[str, Any], facts: Sequence[Fact]
) -> Reading:
    """Return the reading of a fetched thing.

    Its event is the state that was found: fetching the same version with the same content twice is the same event.
    Where the provider tells no version the caller passes the arrival, for then a state may come back after another.
    """
    digest = content_digest(content)
    event_id = f"fetch:{key.kind.value}:{key.entity_id}:{version_at_ms}:{digest[:_FINGERPRINT_LENGTH]}"
    return Reading(
        event_key=f"{key.provider}:{event_id}",
        event_type=f"fetch.{key.kind.value}",
        occurred_at_ms=to_ms(delivery.received_at),
        content_digest=digest,
        facts=tuple(facts),
    )


def file_reading(
    delivery: Delivery, event_type: str, facts: Sequence[Fact], held: tuple[str, ...], lines: Sequence[int] = ()
) -> Reading:
    """Return the reading of a file. Its event is its content: the same bytes under another name are the same event."""
    digest = delivery.body_sha256
    return Reading(
        event_key=f"{delivery.provider}:file:{digest}",
        event_type=event_type,
        occurred_at_ms=to_ms(delivery.received_at),
        content_digest=digest,
        facts=tuple(facts),
        held=held,
        lines=tuple(lines),
    )


def require_same_id(asked: str, answered: str) -> None:
    """Refuse an answer that is about another thing than was asked for."""
    if asked != answered:
        raise UnreadableError(
            Quarantine.IDENTITY_BROKEN, f"asked for {asked[:128]!r}, the answer is about {answered[:128]!r}"
        )


def refuse_channel(channel: Channel) -> NoReturn:
    """Quarantine what came by a channel that this provider is not read from yet."""
    raise UnreadableError(
        Quarantine.UNSUPPORTED_ENCODING, f"deliveries of channel {channel.value} are kept but not read yet"
    )


def refuse_event_type(event_type: str, because: str = "it is not known; add it to the provider and replay") -> NoReturn:
    """Quarantine an event whose meaning is not known or not modelled."""
    raise UnreadableError(Quarantine.UNKNOWN_EVENT_TYPE, f"{event_type[:80]!r}: {because}")
