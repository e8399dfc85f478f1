"""The exports of Stripe as declared mappings: which columns they have, and what becomes of one with bad rows."""

from datetime import UTC

from shared.providers.toolkit.csv_rows import BadRows, Form

MOVEMENTS = Form(
    name="balance_transactions",
    columns={
        "id": ("id", "balance_transaction_id"),
        "gross": ("amount",),
        "fee": ("fee",),
        "net": ("net",),
        "currency": ("currency",),
        "created_at": ("created",),
        "told_at": ("_fivetran_synced",),
        "status": ("status",),
        "type": ("type",),
        "source": ("source",),
        "payout_id": ("payout_id",),
    },
    required=frozenset(
        {"id", "gross", "fee", "net", "currency", "created_at", "status", "type", "source", "payout_id"}
    ),
    zone=UTC,
    # A movement that is missing from its payout would make a difference of it: the export is believed whole or not at all.
    bad_rows=BadRows.HOLD_THE_FILE,
)
PAYOUTS = Form(
    name="payouts",
    columns={
        "id": ("id", "payout_id"),
        "net": ("amount",),
        "currency": ("currency",),
        "created_at": ("created",),
        "told_at": ("_fivetran_synced",),
        "settled_at": ("arrival_date",),
        "status": ("status",),
        "livemode": ("livemode",),
    },
    required=frozenset({"id", "net", "currency", "created_at", "settled_at", "status", "livemode"}),
    zone=UTC,
    bad_rows=BadRows.HOLD_THE_FILE,
)
