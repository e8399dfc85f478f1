"""Statements: the files of any bank or processor, read by a mapping that somebody declared (docs/providers/statement.md)."""

from collections.abc import Mapping

from shared.domain.deliveries import Delivery
from shared.domain.facts import Reading
from shared.ports.provider import Provider
from shared.providers.statement.capabilities import CAPABILITIES
from shared.providers.statement.signature import verify


def read(delivery: Delivery) -> Reading:
    """Say what a delivery says; the reader is imported here so that a door which only verifies loads no payload models."""
    from shared.providers.statement.translate import read as read_delivery  # noqa: PLC0415  see above

    return read_delivery(delivery)


def file_headers(file_name: str, mapping: str, mappings: Mapping[str, str]) -> Mapping[str, str]:
    """Return what travels with a file, so that it is read the same way for ever: the mapping, whole."""
    from shared.providers.statement.payloads import headers_of  # noqa: PLC0415  see above

    return headers_of(file_name, mapping, mappings)


PROVIDER = Provider(CAPABILITIES, verify, read, open_api=None, file_headers=file_headers)
