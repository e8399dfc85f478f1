"""The reports of Mercado Pago as declared mappings: which columns they have, and what their words mean to us.

The header's language and columns are chosen in the account: a header name that is not here is added to the tuple of the
column that it means, and the file is replayed.
"""

from datetime import timedelta, timezone

from shared.providers.toolkit.csv_rows import BadRows, Form

CURRENCY = "ARS"
"""The currency of a report without a column for it: the account is an Argentine one."""

ZONE = timezone(timedelta(hours=-4))
"""The reports' zone unless the account says otherwise; a time with an offset names its own."""

_RELEASE_COLUMNS = {
    "settled_at": ("DATE", "RELEASE DATE"),
    "source_id": ("SOURCE_ID", "TRANSACTION ID IN MERCADO PAGO"),
    "record_type": ("RECORD_TYPE", "REGISTRY TYPE"),
    "description": ("DESCRIPTION",),
    "net_credit": ("NET_CREDIT_AMOUNT",),
    "net_debit": ("NET_DEBIT_AMOUNT",),
    "gross": ("GROSS_AMOUNT",),
    "fee": ("MP_FEE_AMOUNT",),
    "financing": ("FINANCING_FEE_AMOUNT",),
    "shipping": ("SHIPPING_FEE_AMOUNT",),
    "taxes": ("TAXES_AMOUNT",),
    "currency": ("CURRENCY",),
}
_RELEASE_REQUIRED = frozenset(
    {"settled_at", "source_id", "record_type", "description", "net_credit", "net_debit", "gross", "fee"}
)
RELEASE = Form("release", _RELEASE_COLUMNS, _RELEASE_REQUIRED, ZONE, BadRows.HOLD_THE_ROWS)
DAILY_RELEASE = Form(
    "daily_release",
    {
        **_RELEASE_COLUMNS,
        "balance": ("BALANCE_AMOUNT",),
        "sale_detail": ("SALE_DETAIL",),
        "segment_detail": ("SEGMENT_DETAIL",),
    },
    _RELEASE_REQUIRED | {"currency", "balance", "sale_detail", "segment_detail"},
    ZONE,
    BadRows.HOLD_THE_ROWS,
)
"""The same report in the layout with a running balance, whose gross and fees are written without signs."""
RELEASE_KEPT = ("fee", "financing", "shipping", "taxes")

SETTLEMENT = Form(
    name="settlement",
    columns={
        "settled_at": ("SETTLEMENT_DATE",),
        "transacted_at": ("TRANSACTION_DATE",),
        "source_id": ("SOURCE_ID",),
        "transaction_type": ("TRANSACTION_TYPE",),
        "gross": ("TRANSACTION_AMOUNT",),
        "fee": ("FEE_AMOUNT",),
        "taxes": ("TAXES_AMOUNT",),
        "net": ("SETTLEMENT_NET_AMOUNT",),
        "currency": ("SETTLEMENT_CURRENCY", "TRANSACTION_CURRENCY"),
    },
    required=frozenset({"transacted_at", "source_id", "transaction_type", "gross", "fee", "net"}),
    zone=ZONE,
    bad_rows=BadRows.HOLD_THE_ROWS,
)
SETTLEMENT_KEPT = ("fee", "taxes")
"""FEE_AMOUNT is the sum of all fees, financing and shipping among them."""

OPENING, CLOSING, BALANCE, OTHER = "opening_balance", "closing_balance", "balance", "other"
BALANCES = frozenset({OPENING, CLOSING, BALANCE})
"""Lines that state what there is; they move nothing."""
ABOUT_A_PAYMENT = frozenset({"payment", "refund", "dispute"})
"""Lines whose SOURCE_ID is the id of a payment."""

RECORD_STATUSES = {
    "initial_available_balance": BALANCE,
    "available_balance": BALANCE,
    "subtotal": BALANCE,
    "total": BALANCE,
    "release": "released",
    "block": "blocked",
    "fullblock": "blocked",
    "unblock": "unblocked",
}
"""Any other RECORD_TYPE is held: whether it moves money is not known."""
RECORD_LINE_TYPES = {
    "initial_available_balance": OPENING,
    "available_balance": BALANCE,
    "subtotal": BALANCE,
    "total": CLOSING,
    "block": "hold",
    "fullblock": "hold",
    "unblock": "hold",
}
DESCRIPTION_LINE_TYPES = {
    "payment": "payment",
    "refund": "refund",
    "chargeback": "dispute",
    "dispute": "dispute",
    "mediation": "dispute",
    "mediation_cancel": "dispute",
    "withdrawal": "payout",
    "payout": "payout",
}
"""What was released. Any other DESCRIPTION is kept as text, as a line of type `other`: the row adds up all the same."""
TRANSACTION_LINE_TYPES = {
    "SETTLEMENT": "payment",
    "REFUND": "refund",
    "CHARGEBACK": "dispute",
    "DISPUTE": "dispute",
    "WITHDRAWAL": "payout",
    "WITHDRAWAL_CANCEL": "payout",
    "PAYOUT": "payout",
}
