"""Completeness: what a provider lists for a day is in the raw store, and a certificate says so, or names what is not.

    provider's listing of a day ─ each entity ─▶ what the ledger knows of it ─▶ the delivery that told of it ─▶ its bytes
                                                                                    │
                                       certificate: how many, the gaps by name, a digest over entity, delivery and bytes

Certificates are only ever added; of one provider, kind and day the one with the latest certified moment stands.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from shared.domain.facts import EntityKey, EntityKind

GAPS_NAMED_MAX = 100
"""How many gaps a certificate names; all are counted."""


class GapReason(StrEnum):
    """What is missing of an entity that the provider lists."""

    NOT_TOLD = "not_told"
    """No delivery told of it that could be read."""
    TOLD_OLDER = "told_older"
    """The latest that was told of it is older than what is listed."""
    NOT_KEPT = "not_kept"
    """The ledger knows it, and the bytes that it knows it from are not in the raw store."""


class Gap(NamedTuple):
    """One entity that is listed and whose bytes are not here."""

    key: EntityKey
    reason: GapReason

    def __str__(self) -> str:
        """Return the one-line form."""
        return f"{self.key} {self.reason.value}"


class Brought(NamedTuple):
    """One entity that is listed, and the kept delivery that brought the latest that was told of it."""

    key: EntityKey
    object_name: str
    body_sha256: str

    def __str__(self) -> str:
        """Return the line over which the digest of a certificate is taken."""
        return f"{self.key} {self.object_name} {self.body_sha256}"


@dataclass(frozen=True, slots=True)
class CompletenessCertificate:
    """What of one provider's listing of one kind on one Buenos Aires day is in the raw store, as of one moment."""

    provider: str
    kind: EntityKind
    day: date
    certified_at: datetime
    """As of when the provider listed."""
    run_id: str
    listed: int
    gaps: tuple[Gap, ...]
    """The first of them by key, at most GAPS_NAMED_MAX."""
    gap_count: int
    deliveries_sha256: str
    """Over one line `entity object-name body-digest` for each entity that is here, in order of their keys."""

    @property
    def present(self) -> int:
        """Return how many of the listed entities are here, byte for byte."""
        return self.listed - self.gap_count

    @property
    def is_complete(self) -> bool:
        """Return whether all that is listed is here. A day for which nothing is listed is complete."""
        return self.gap_count == 0

    @property
    def order(self) -> tuple[datetime, str]:
        """Return what decides which of two certificates of a day stands: the greater one."""
        return self.certified_at, self.run_id


class DayListed(NamedTuple):
    """Whose listing of which day, as of when, and which run looked at it."""

    provider: str
    kind: EntityKind
    day: date
    certified_at: datetime
    run_id: str


def certificate(of: DayListed, found: Iterable[Gap | Brought]) -> CompletenessCertificate:
    """Return the certificate of one day from what was found of each listed entity, in order of keys, each key once."""
    listed = gap_count = 0
    gaps: list[Gap] = []
    digest = sha256()
    for each in found:
        listed += 1
        if isinstance(each, Brought):
            digest.update(f"{each}\n".encode())
            continue
        gap_count += 1
        if gap_count <= GAPS_NAMED_MAX:
            gaps.append(each)
    return CompletenessCertificate(*of, listed, tuple(gaps), gap_count, digest.hexdigest())
