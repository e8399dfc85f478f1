"""Mercado Pago: a payment processor whose notifications only point; the payment is fetched."""

from shared.domain.deliveries import Delivery
from shared.domain.facts import Reading
from shared.ports.provider import ApiAccess, Provider, ProviderApi
from shared.providers.mercadopago.capabilities import CAPABILITIES
from shared.providers.mercadopago.personal import PERSONAL
from shared.providers.mercadopago.signature import verify


def read(delivery: Delivery) -> Reading:
    """Say what a delivery says; the reader is imported here so that a door which only verifies loads no payload models."""
    from shared.providers.mercadopago.translate import read as read_delivery  # noqa: PLC0415  see above

    return read_delivery(delivery)


def open_api(access: ApiAccess) -> ProviderApi:
    """Open the API; the client is imported here so that a door which only verifies loads no HTTP library."""
    from shared.providers.mercadopago.client import MercadoPagoApi  # noqa: PLC0415  see above

    return MercadoPagoApi(access)


PROVIDER = Provider(CAPABILITIES, verify, read, open_api, personal=PERSONAL)
