"""Which fields of Betterez are about a person (docs/providers/betterez.md; marked `x-personal` in its pinned contract)."""

import re

from shared.domain.errors import UnreadableError
from shared.domain.personal import Identifier, PersonalFields
from shared.providers.betterez.capabilities import NAME

_PASSENGER = (
    "address", "authCode", "authorization", "birthDate", "birthdate", "comment", "comments", "customerNumber",
    "dateOfBirth", "documentId", "documentNumber", "dynamicFormFields", "email", "extra", "firstName", "lastName",
    "mobilePhone", "passport", "paxWeight", "peopleLookupId", "phone", "phoneNumber", "result", "rollbackPayload",
    "travellerCardId", "userComments",
)  # fmt: skip
_REDEEMER = ("redeemByCustomer", "redeemerEmail", "redeemerFirstName", "redeemerLastName")
_STAFF = ("agentUserName", "createdBy", "createdByUserEmail", "user")

_ENCODING = re.compile(rb'"enc"\s*+:\s*+"([^"\\]*+)"')
_DATA = re.compile(rb'"data"\s*+:\s*+"([^"\\]*+)"')


def unpacked(body: bytes) -> bytes | None:
    """Return a webhook's body with its compressed `data` as plain JSON and `enc` null; None where nothing is compressed.

    What cannot be unpacked stays as it came: reading quarantines it.
    """
    if b'"enc"' not in body:
        return None
    encodings = list(_ENCODING.finditer(body))
    data = list(_DATA.finditer(body)) if len(encodings) == 1 else []
    if len(data) != 1 or not body.rstrip().endswith(b"}"):
        return None
    # Hardly ever needed, and not by a door that only verifies.
    from shared.providers.toolkit.compression import unpack  # noqa: PLC0415  see above

    try:
        plain = unpack(*(found[0][1].decode("ascii", "replace") for found in (encodings, data)))
    except UnreadableError:
        return None
    for place, value in sorted([(encodings[0].span(), b'"enc":null'), (data[0].span(), b'"data":' + plain)])[::-1]:
        body = body[: place[0]] + value + body[place[1] :]
    return body


PERSONAL = PersonalFields(
    fields={
        **dict.fromkeys(_PASSENGER, ""),
        **dict.fromkeys(_REDEEMER, "redeemer"),
        **dict.fromkeys(_STAFF, "seller"),
    },
    identifiers={
        "customerNumber": Identifier("number", 0, NAME),
        "documentNumber": Identifier("document", 1),
        "documentId": Identifier("document", 1),
        "email": Identifier("email", 2),
        "redeemerEmail": Identifier("email", 2),
        "createdByUserEmail": Identifier("email", 2),
        "phone": Identifier("phone", 3),
        "phoneNumber": Identifier("phone", 3),
    },
    unpacked=unpacked,
)
