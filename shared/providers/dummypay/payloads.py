"""What is read of DummyPay's events. Amounts are integers of minor units."""

from shared.providers.toolkit.payload_models import Id, InstantMs, Payload


class Payment(Payload):
    """A payment that succeeded."""

    id: Id
    sale_id: Id
    amount_minor: int
    currency: str
    paid_at: InstantMs


class Event(Payload):
    """A webhook."""

    type: str
    data: Payment
