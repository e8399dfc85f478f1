"""DummyPay: the smallest complete provider, the worked example of docs/new-provider.md."""

from shared.domain.deliveries import Delivery
from shared.domain.facts import Reading
from shared.ports.provider import Provider
from shared.providers.dummypay.capabilities import CAPABILITIES
from shared.providers.dummypay.signature import verify


def read(delivery: Delivery) -> Reading:
    """Say what a delivery says; the reader is imported here so that a door which only verifies loads no payload models."""
    from shared.providers.dummypay.translate import read as read_delivery  # noqa: PLC0415  see above

    return read_delivery(delivery)


PROVIDER = Provider(CAPABILITIES, verify, read, open_api=None)
