"""Stripe: a payment processor; its charges, refunds, payouts and disputes are the evidence for the platform's money."""

from shared.domain.deliveries import Delivery
from shared.domain.facts import Reading
from shared.ports.provider import ApiAccess, Provider, ProviderApi
from shared.providers.stripe.capabilities import CAPABILITIES
from shared.providers.stripe.personal import PERSONAL
from shared.providers.stripe.signature import verify


def read(delivery: Delivery) -> Reading:
    """Say what a delivery says; the reader is imported here so that a door which only verifies loads no payload models."""
    from shared.providers.stripe.translate import read as read_delivery  # noqa: PLC0415  see above

    return read_delivery(delivery)


def open_api(access: ApiAccess) -> ProviderApi:
    """Open the API; the client is imported here so that a door which only verifies loads no HTTP library."""
    from shared.providers.stripe.client import StripeApi  # noqa: PLC0415  see above

    return StripeApi(access)


PROVIDER = Provider(CAPABILITIES, verify, read, open_api, personal=PERSONAL)
