"""Decided: what people decided stands in the ledger; the casebook hears of it and closes what it settles."""

from datetime import datetime

from shared.domain.decisions import decision_of
from shared.domain.facts import EntityKind
from shared.pipeline.reconciliation.chunks import chunks
from shared.ports.casebook import Casebook
from shared.ports.ledger_store import LedgerStore

CHUNK = 500


def note_decisions(ledger: LedgerStore, casebook: Casebook, at: datetime) -> dict[str, int]:
    """Note every decision that stands on its exception, and return the counts. Noting again changes nothing.

    All decisions are read: they are made by hand, some thousands a year, and one may be derived long after it was made.
    """
    seen = settled = 0
    for entities in chunks(ledger.entities(EntityKind.DECISION), CHUNK):
        settled += casebook.note_decisions([decision_of(entity) for entity in entities], at)
        seen += len(entities)
    return {"decisions": seen, "settled": settled}
