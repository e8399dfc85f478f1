"""A delivery is one arrival of bytes: a webhook call, an API answer, a file. It is kept before it is understood."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

OPERATOR = "operator"
"""The company's own staff, as the provider whose deliveries are decisions."""
STATEMENT = "statement"
"""The provider whose lines come from any bank or processor; also the type of the line that stands for a whole statement."""


class Channel(StrEnum):
    """How bytes came in. All channels go one path; a later channel outranks an earlier one on a tie of versions."""

    WEBHOOK = "webhook"
    FILE = "file"
    FETCH = "fetch"
    MANUAL = "manual"

    @property
    def rank(self) -> int:
        """Return the channel's rank on a tie: what was asked for outranks what was told; a person outranks both."""
        return _RANKS[self]

    @property
    def is_signed(self) -> bool:
        """Return whether deliveries of this channel carry a signature of their sender."""
        return self in (Channel.WEBHOOK, Channel.MANUAL)


@lru_cache(maxsize=64)
def _hour_prefix(year: int, month: int, day: int, hour: int) -> str:
    return f"{year:04}/{month:02}/{day:02}/{hour:02}"


_RANKS = {Channel.WEBHOOK: 0, Channel.FILE: 1, Channel.FETCH: 2, Channel.MANUAL: 3}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One arrival of bytes, exactly as it came, with what is needed to check its signature again.

    `headers` holds only those that the provider's signature or encoding needs, names in lower case; `target` is what was
    called (webhook: path and query as received), asked for (fetch: method and path) or read (file: its name).
    """

    delivery_id: str
    provider: str
    channel: Channel
    received_at: datetime
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def object_name(self) -> str:
        """Return the name in the raw store: hour first, so that a closed hour is one prefix; same in every world."""
        at = self.received_at
        hour = _hour_prefix(at.year, at.month, at.day, at.hour)
        return f"{hour}/{self.provider}/{self.channel.value}/{self.delivery_id}"

    @property
    def body_sha256(self) -> str:
        """Return the digest of the bytes as received, in hex."""
        return sha256(self.body).hexdigest()

    @property
    def announcement(self) -> "Announcement":
        """Return the pointer that is announced on the bus."""
        return Announcement(self.object_name, self.delivery_id, self.provider, self.channel)


@dataclass(frozen=True, slots=True)
class Announcement:
    """What travels on the bus: a pointer to a kept delivery, never its content."""

    object_name: str
    delivery_id: str
    provider: str
    channel: Channel
