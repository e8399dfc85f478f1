"""What the casebook keeps of each source on Firestore: certificates of completeness and the source's pause.

Three collections:
    completeness_certificates/{day, provider, kind, certified at, run}   a certificate, as it was given: only ever added
    completeness/{day, provider, kind}                                   the one that stands
    pauses/{provider}                                                    the latest pause
"""

from collections.abc import Iterator, Sequence
from datetime import date

from pydantic import TypeAdapter

from shared.adapters.google.documents import Documents, Fields, Query, Transaction, document_id
from shared.domain.completeness import CompletenessCertificate
from shared.domain.facts import EntityKind
from shared.domain.pauses import Pause
from shared.domain.times import to_ms

_GIVEN, _STANDING, _PAUSES = "completeness_certificates", "completeness", "pauses"
_BEYOND = "\U0010ffff"

_CERTIFICATE, _PAUSE = TypeAdapter(CompletenessCertificate), TypeAdapter(Pause)


def add(transaction: Transaction, certificates: Sequence[CompletenessCertificate]) -> None:
    """Add certificates within the transaction of the run that gave them; the later one of a day stands."""
    if not certificates:
        return
    held = transaction.get([_standing_path(each) for each in certificates])
    for each in certificates:
        fields: Fields = {"body": _CERTIFICATE.dump_json(each).decode()}
        given = f"{_day_key(each.provider, each.kind, each.day)}|{to_ms(each.certified_at):015d}|{each.run_id}"
        transaction.set(f"{_GIVEN}/{document_id(given)}", fields)
        before = held.get(_standing_path(each))
        if before is None or _certificate(before).order < each.order:
            transaction.set(_standing_path(each), fields)


def standing(documents: Documents, first: date, last: date) -> Iterator[CompletenessCertificate]:
    """Yield the certificate that stands for each day, by day, provider and kind."""
    query = Query(_STANDING, first=first.isoformat(), beyond=f"{last.isoformat()}{_BEYOND}")
    for _, fields in documents.pages(query):
        yield _certificate(fields)


def history(documents: Documents, provider: str, kind: EntityKind, day: date) -> list[CompletenessCertificate]:
    """Return all certificates of one day, in the order in which they came to stand."""
    first = document_id(f"{_day_key(provider, kind, day)}|")
    query = Query(_GIVEN, first=first, beyond=f"{first}{_BEYOND}")
    return [_certificate(fields) for _, fields in documents.pages(query)]


def keep_pause(documents: Documents, pause: Pause) -> None:
    """Keep the pause of a provider in place of the one before."""
    where = f"{_PAUSES}/{document_id(pause.provider)}"
    documents.in_transaction(lambda transaction: transaction.set(where, {"body": _PAUSE.dump_json(pause).decode()}))


def pauses(documents: Documents) -> list[Pause]:
    """Return the pauses by provider."""
    return [_PAUSE.validate_json(str(fields["body"])) for _, fields in documents.pages(Query(_PAUSES))]


def _standing_path(certificate: CompletenessCertificate) -> str:
    return f"{_STANDING}/{document_id(_day_key(certificate.provider, certificate.kind, certificate.day))}"


def _day_key(provider: str, kind: EntityKind, day: date) -> str:
    return f"{day.isoformat()}|{provider}|{kind.value}"


def _certificate(fields: Fields) -> CompletenessCertificate:
    return _CERTIFICATE.validate_json(str(fields["body"]))
