"""What Betterez, the bus ticketing platform, can do."""

from collections.abc import Mapping

from shared.domain.facts import EntityKind, Value
from shared.ports.provider import AlsoTells, Capabilities
from shared.providers.toolkit.hmac_schemes import TOLERANCE_S

NAME = "betterez"

SALE_EVENTS = ("transaction.completed", "transaction.updated", "transaction.reversed")
TICKET_EVENTS = (
    "ticket.created",
    "ticket.updated",
    "ticket.moved",
    "ticket.delivered",
    "ticket.scan.created",
    "ticket.redemptions.updated",
)
REFUND_EVENTS = ("refund.created",)
MANIFEST_EVENTS = ("manifestStatus.updated",)
SHIFT_EVENTS = (
    "shift.created",
    "shift.updated",
    "shift.closed",
    "shifts.created",
    "shifts.updated",
    "shifts.closed",
)

WITHOUT_MONEY = frozenset(
    {
        "transaction.delivered",
        "tickets.invoice.updated",
        "locationClosures.comment.created",
    }
)
"""Single event types that say nothing about money."""

WITHOUT_MONEY_MODELS = frozenset(
    {
        "creditlimit",
        "customer",
        "customers",
        "exchangeRates",
        "fallbackcode",
        "giftcertificates",  # the definition in the catalogue; what is sold is giftcertificate, without an s
        "invoices",
        "mmanifests",
        "product",
        "products",
        "user",
        "users",
    }
)
"""Models whose events are about the catalogue, people or paper; none of them says that money moved."""

MONEY_NOT_MODELLED = frozenset(
    {
        "accountingitem",
        "giftcertificate",
        "locationClosures",
        "orders",
        "parcel",
        "pass",
        "payments",
        "redeemableitem",
        "solditem",
    }
)
"""Models whose events carry money that the ledger has no place for yet: held, never dropped."""

MONEY_NOT_MODELLED_EVENTS = frozenset({"shifts.deposit.created", "shifts.manualTicket.created"})


def listing_covers(kind: EntityKind, values: Mapping[str, Value]) -> bool:
    """Sales are listed by shift: one without a shift (web, call centre) is found by the manifests of its tickets instead."""
    return kind is not EntityKind.SALE or "shift" in values


CAPABILITIES = Capabilities(
    name=NAME,
    title="Betterez (ticketing platform)",
    signature_scheme="HMAC-SHA256, hex or base64 by length",
    signed_content="t.body",
    signature_headers=("x-btrz-signature",),
    tolerance_s=TOLERANCE_S,
    event_identity="envelope id (attemptId differs per attempt)",
    version_source="updatedAt of each object; createdAt, then the envelope's created, where it has none",
    has_thin_events=True,
    event_types=(*SALE_EVENTS, *TICKET_EVENTS, *REFUND_EVENTS, *MANIFEST_EVENTS, *SHIFT_EVENTS),
    listings=(EntityKind.SALE, EntityKind.TICKET, EntityKind.MANIFEST, EntityKind.SHIFT),
    fetchable=(EntityKind.SALE, EntityKind.TICKET, EntityKind.MANIFEST, EntityKind.SHIFT),
    listing_covers=listing_covers,
    also_tells=(AlsoTells.MANIFESTS, AlsoTells.UNDELIVERED, AlsoTells.TOTALS),
)
