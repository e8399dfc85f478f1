"""The state hash: one digest over what the ledger says, whatever way it came to say it (DESIGN I3)."""

import json
from collections.abc import Iterable
from hashlib import sha256

from shared.domain.fold import Entity, canonical

_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def state_hash(entities: Iterable[Entity]) -> str:
    """Return the digest over the canonical folded values of entities given in order of their keys.

    Awaited entities say nothing yet and are left out; conflicts are part of it.
    """
    digest = sha256()
    for entity in entities:
        if not entity.is_awaited:
            digest.update(_encode(canonical(entity)).encode())
            digest.update(b"\n")
    return digest.hexdigest()
