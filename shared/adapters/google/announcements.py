"""An announcement as a Pub/Sub message: a small JSON pointer, and attributes that subscriptions can filter on.

The type of event is no attribute: bytes are kept and announced before they are interpreted, so nobody knows it yet.
Importing this module loads no client library, so that the derive door, which is pushed to, stays light.
"""

import json

from shared.domain.deliveries import Announcement, Channel
from shared.domain.errors import TerminalError

_FIELDS = ("object_name", "delivery_id", "provider", "channel")


def to_message(announcement: Announcement) -> tuple[bytes, dict[str, str]]:
    """Return the data and the attributes of the message that announces a kept delivery."""
    pointer = {
        "object_name": announcement.object_name,
        "delivery_id": announcement.delivery_id,
        "provider": announcement.provider,
        "channel": announcement.channel.value,
    }
    return json.dumps(pointer, separators=(",", ":")).encode(), pointer


def from_message(data: bytes) -> Announcement:
    """Read an announcement back from a message's data; raise TerminalError if it is none."""
    try:
        pointer = json.loads(data)
        object_name, delivery_id, provider, channel = (str(pointer[name]) for name in _FIELDS)
        return Announcement(object_name, delivery_id, provider, Channel(channel))
    except (ValueError, KeyError, TypeError) as foreign:
        raise TerminalError(
            f"a message on the bus is no announcement ({type(foreign).__name__}); find out who publishes to this topic"
        ) from foreign
