"""The state hash: one digest over what the ledger says, whatever way it came to say it (DESIGN I3)."""

from collections.abc import Iterable
from hashlib import sha256

import orjson

from shared.domain.fold import Entity, canonical

_AS_A_LINE = orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


def state_hash(entities: Iterable[Entity]) -> str:
    """Return the digest over the canonical folded values of entities given in order of their keys.

    Each is a line of JSON in UTF-8: keys in order, no blanks, nothing escaped that need not be. Awaited entities say
    nothing yet and are left out; conflicts are part of it.
    """
    digest = sha256()
    for entity in entities:
        if not entity.is_awaited:
            digest.update(orjson.dumps(canonical(entity), option=_AS_A_LINE))
    return digest.hexdigest()
