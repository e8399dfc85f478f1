"""Betterez: the ticketing platform, whose transactions, tickets and refunds are the accounting events."""

from shared.ports.provider import ApiAccess, Provider, ProviderApi
from shared.providers.betterez.capabilities import CAPABILITIES
from shared.providers.betterez.signature import verify
from shared.providers.betterez.translate import read


def open_api(access: ApiAccess) -> ProviderApi:
    """Open the API; the client is imported here so that a door which only verifies loads no HTTP library."""
    from shared.providers.betterez.client import BetterezApi  # noqa: PLC0415  see above

    return BetterezApi(access)


PROVIDER = Provider(CAPABILITIES, verify, read, open_api)
