"""The operator: the company's own staff, whose signed decisions are deliveries like any other."""

from shared.domain.deliveries import Delivery
from shared.domain.facts import Reading
from shared.ports.provider import Provider
from shared.providers.operator.capabilities import CAPABILITIES
from shared.providers.operator.signature import verify


def read(delivery: Delivery) -> Reading:
    """Say what a delivery says; the reader is imported here so that a door which only verifies loads no payload models."""
    from shared.providers.operator.translate import read as read_delivery  # noqa: PLC0415  see above

    return read_delivery(delivery)


PROVIDER = Provider(CAPABILITIES, verify, read, open_api=None)
