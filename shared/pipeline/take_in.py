"""Take in: a file becomes a delivery, kept byte for byte and announced, and goes the same way as a webhook.

What the file says is for derive to find out; a file that says nothing readable is kept all the same.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

import structlog

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import SettingsError, TerminalError, TransientError
from shared.ports.event_bus import EventBus
from shared.ports.inbox import Inbox
from shared.ports.raw_store import RawStore

FILE_BYTES_MAX = 32 * 1024 * 1024
"""The largest file that is kept; a settlement report of a month with a hundred thousand rows is about half of it."""
NAME_BYTES_MAX = 255
"""The longest file name; it travels with the bytes as the target of the delivery."""

log = structlog.get_logger("take_in")


def nothing_travels(provider: str, _file_name: str, mapping: str) -> Mapping[str, str]:
    """Say that files speak for themselves; raise SettingsError where a mapping is asked for all the same."""
    if mapping:
        raise SettingsError(f"files of {provider} are read without a mapping; leave it out")
    return {}


@dataclass(frozen=True, slots=True)
class TakingIn:
    """What taking in needs of the world."""

    providers: Collection[str]
    raw: RawStore
    bus: EventBus
    new_delivery_id: Callable[[datetime], str]
    travelling: Callable[[str, str, str], Mapping[str, str]] = nothing_travels
    """Says what must travel with a file of a provider: given its name, and the mapping that is asked for or empty."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Where files are dropped, and what taking them in needs."""

    inbox: Inbox
    taking: TakingIn


def take_in(name: str, body: bytes, provider: str, world: TakingIn, now: datetime, *, mapping: str = "") -> Delivery:
    """Keep a file durably as a delivery of a provider, announce it, and return it. Folders of the name are left out.

    Raises SettingsError for a provider that is not listened to or a mapping that is missing or wrong, TerminalError for a
    file that is empty, too large or badly named, TransientError when the bytes could not be kept.
    """
    if provider not in world.providers:
        raise SettingsError(f"no provider {provider[:64]!r}; name one of {', '.join(sorted(world.providers))}")
    file_name = PurePath(name).name
    _refuse_unfit(file_name, body)
    headers = world.travelling(provider, file_name, mapping)
    delivery = Delivery(world.new_delivery_id(now), provider, Channel.FILE, now, file_name, headers, body)
    world.raw.create_all([delivery])
    try:
        world.bus.publish_all([delivery.announcement])
    except TransientError as failure:
        # The bytes are durable; the straggler job announces what has no outcome.
        log.warning("announcement failed", delivery_id=delivery.delivery_id, failure=str(failure))
    return delivery


def _refuse_unfit(file_name: str, body: bytes) -> None:
    if not file_name or not file_name.isprintable() or len(file_name.encode()) > NAME_BYTES_MAX:
        raise TerminalError(f"a file needs a printable name of at most {NAME_BYTES_MAX} bytes; rename it")
    if not body:
        raise TerminalError(f"{file_name} is empty; ask for the report again")
    if len(body) > FILE_BYTES_MAX:
        raise TerminalError(f"{file_name} exceeds {FILE_BYTES_MAX} bytes; ask for reports of shorter periods")
