"""Betterez: the ticketing platform, whose transactions, tickets and refunds are the accounting events."""

from shared.domain.deliveries import Delivery
from shared.domain.facts import Reading
from shared.ports.provider import ApiAccess, Provider, ProviderApi
from shared.providers.betterez.capabilities import CAPABILITIES
from shared.providers.betterez.personal import PERSONAL
from shared.providers.betterez.signature import verify


def read(delivery: Delivery) -> Reading:
    """Say what a delivery says; the reader is imported here so that a door which only verifies loads no payload models."""
    from shared.providers.betterez.translate import read as read_delivery  # noqa: PLC0415  see above

    return read_delivery(delivery)


def open_api(access: ApiAccess) -> ProviderApi:
    """Open the API; the client is imported here so that a door which only verifies loads no HTTP library."""
    from shared.providers.betterez.client import BetterezApi  # noqa: PLC0415  see above

    return BetterezApi(access)


PROVIDER = Provider(CAPABILITIES, verify, read, open_api, personal=PERSONAL)
