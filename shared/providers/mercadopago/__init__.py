"""Mercado Pago: a payment processor whose notifications only point; the payment is fetched."""

from shared.ports.provider import ApiAccess, Provider, ProviderApi
from shared.providers.mercadopago.capabilities import CAPABILITIES
from shared.providers.mercadopago.signature import verify
from shared.providers.mercadopago.translate import read


def open_api(access: ApiAccess) -> ProviderApi:
    """Open the API; the client is imported here so that a door which only verifies loads no HTTP library."""
    from shared.providers.mercadopago.client import MercadoPagoApi  # noqa: PLC0415  see above

    return MercadoPagoApi(access)


PROVIDER = Provider(CAPABILITIES, verify, read, open_api)
