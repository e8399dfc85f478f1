"""What a statement says, as facts: a file and the mapping that travelled with it."""

from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import Quarantine, SettingsError, UnreadableError
from shared.domain.facts import Reading
from shared.providers.statement.payloads import HEADER, from_header
from shared.providers.statement.report import read_report
from shared.providers.toolkit.readings import refuse_channel


def read(delivery: Delivery) -> Reading:
    """Return what a delivery says; raise UnreadableError where that is not certain."""
    if delivery.channel is not Channel.FILE:
        return refuse_channel(delivery.channel)
    if HEADER not in delivery.headers:
        raise UnreadableError(Quarantine.MISSING_FIELD, "no mapping travelled with the file; take it in with one")
    try:
        mapping = from_header(delivery.headers[HEADER])
    except SettingsError as wrong:
        raise UnreadableError(Quarantine.WRONG_TYPE, str(wrong)) from None
    return read_report(delivery, mapping)
