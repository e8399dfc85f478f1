"""No statement comes as a webhook: the door stays closed to whoever says that it does."""

from collections.abc import Sequence
from datetime import datetime

from shared.domain.deliveries import Delivery
from shared.domain.errors import Refusal, RefusedError


def verify(delivery: Delivery, secrets: Sequence[str], now: datetime) -> None:  # noqa: ARG001  the same answer to all
    """Raise RefusedError, whatever comes."""
    raise RefusedError(Refusal.UNKNOWN_PROVIDER, "statements are files: take them in, or drop them in the inbox")
