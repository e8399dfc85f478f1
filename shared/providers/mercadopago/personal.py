"""Which fields of Mercado Pago are about a person: who pays, and whose card it is."""

from shared.domain.personal import Identifier, PersonalFields

PERSONAL = PersonalFields(
    fields=dict.fromkeys(("additional_info", "cardholder", "payer", "receiver_address"), ""),
    identifiers={
        "email": Identifier("email", 0),
        "number": Identifier("document", 1),
    },
)
