"""Stripe: a payment processor; its charges, refunds, payouts and disputes are the evidence for the platform's money."""

from shared.ports.provider import ApiAccess, Provider, ProviderApi
from shared.providers.stripe.capabilities import CAPABILITIES
from shared.providers.stripe.signature import verify
from shared.providers.stripe.translate import read


def open_api(access: ApiAccess) -> ProviderApi:
    """Open the API; the client is imported here so that a door which only verifies loads no HTTP library."""
    from shared.providers.stripe.client import StripeApi  # noqa: PLC0415  see above

    return StripeApi(access)


PROVIDER = Provider(CAPABILITIES, verify, read, open_api)
