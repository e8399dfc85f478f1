"""Which fields of Stripe are about a person: who pays, where they live, how they are reached."""

from shared.domain.personal import Identifier, PersonalFields

PERSONAL = PersonalFields(
    fields=dict.fromkeys(
        (
            "billing_details", "customer_address", "customer_details", "customer_email", "customer_name",
            "customer_phone", "customer_shipping", "owner", "receipt_email", "receipt_number", "shipping",
        ),
        "",
    ),
    identifiers={
        "receipt_email": Identifier("email", 0),
        "customer_email": Identifier("email", 0),
        "email": Identifier("email", 0),
        "phone": Identifier("phone", 1),
        "customer_phone": Identifier("phone", 1),
    },
)  # fmt: skip
