"""Inputs of the models: what staging is loaded with, and the two tables of certification. All are plain and typed.

`staging.deliveries` holds raw bodies, names of passengers among them: whoever may read it may read the raw store.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import jiter

from shared.domain.completeness import CompletenessCertificate
from shared.domain.deliveries import Delivery
from shared.domain.entities import FIELDS
from shared.domain.facts import EntityKind
from shared.domain.fold import Entity
from shared.domain.outcomes import Verdict
from shared.domain.reconciliation import LISTING_JOB, Difference, ReconciliationRun
from shared.domain.times import Window, to_ms

_GOOGLE_TYPES: Mapping[type, str] = {str: "STRING", int: "INT64", bool: "BOOL"}


@dataclass(frozen=True, slots=True)
class Input:
    """A table that is loaded, not derived: its name, what one row is, and its columns with their types."""

    name: str
    grain: str
    columns: Mapping[str, str]


DELIVERIES = Input(
    "staging.deliveries",
    "One row per accepted delivery.",
    {
        "delivery_id": "STRING",
        "object_name": "STRING",
        "provider": "STRING",
        "channel": "STRING",
        "channel_rank": "INT64",
        "target": "STRING",
        "received_at_ms": "INT64",
        "body": "STRING",  # NULL where the bytes are no JSON in UTF-8
        "body_sha256": "STRING",
    },
)

SEGMENT = Input(
    "staging.segment_line",
    "One row per line of the segments of the sealed raw store.",
    {
        "object_name": "STRING",
        "received_at": "STRING",  # in UTC, with its offset
        "target": "STRING",
        "body_sha256": "STRING",
        "json": "STRING",  # the body, where every engine reads it as the same JSON
        "body": "STRING",  # in a line that does not say what its body is
        "body_base64": "STRING",  # likewise
    },
)
"""What a warehouse reads where it lies: no table that anything else stands on."""

VERDICTS = Input(
    "staging.verdicts",
    "One row per delivery with an outcome: the one that stands.",
    {
        "delivery_id": "STRING",
        "outcome": "STRING",
        "reason": "STRING",  # the word before the colon: why it was quarantined
        "event_key": "STRING",
        "event_type": "STRING",
    },
)

COMPARED_DAYS = Input(
    "staging.compared_day",
    "One row per provider, kind and day that was compared with the provider's listing, as of the latest comparison.",
    {
        "provider": "STRING",
        "kind": "STRING",
        "day": "DATE",
        "compared_at_ms": "INT64",
        "open_differences": "INT64",  # of comparisons that looked at this day
    },
)

COMPLETENESS = Input(
    "staging.completeness",
    "One row per provider, kind and day that was certified: how the certificate that stands says it is.",
    {
        "provider": "STRING",
        "kind": "STRING",
        "day": "DATE",
        "is_complete": "BOOL",
        "listed": "INT64",  # by the provider
        "present": "INT64",  # of these, in the raw store
        "gaps": "INT64",  # of these, not
        "certified_at_ms": "INT64",
    },
)

DIFFERENCES = Input(
    "staging.difference",
    "One row per open difference and Buenos Aires month that it was last seen in.",
    {
        "difference_id": "STRING",
        "job": "STRING",
        "provider": "STRING",
        "kind": "STRING",
        "entity": "STRING",
        "type": "STRING",
        "month": "STRING",
        "accepted_by_exception": "STRING",  # the exception about it that a decision settles; NULL while it is open to all
    },
)

EXCEPTIONS = Input(
    "staging.exception",
    "One row per exception that is open, or that a decision settles.",
    {
        "exception_id": "STRING",
        "kind": "STRING",
        "provider": "STRING",
        "subject": "STRING",
        "entity": "STRING",  # NULL where it is about no entity
        "is_blocking": "BOOL",
        "is_accepted": "BOOL",
        "opened_at_ms": "INT64",
        "at_risk_minor": "INT64",
        "at_risk_currency": "STRING",
        "decision": "STRING",
        "decided_by": "STRING",
        "reason": "STRING",
        "decided_at_ms": "INT64",
    },
)

PUBLISHED = Input(
    "certificates.published",
    "One row per month, currency and business unit that viz shows, and the build that it shows.",
    {"month": "STRING", "currency": "STRING", "business_unit": "STRING", "build_id": "STRING"},
)

CERTIFICATE = Input(
    "certificates.certificate",
    "One row per build, month, currency and business unit that was judged. Rows are only ever added.",
    {
        "certificate_id": "STRING",
        "build_id": "STRING",
        "month": "STRING",
        "currency": "STRING",
        "business_unit": "STRING",
        "passed": "BOOL",
        "figures": "STRING",  # JSON: the figures of both paths
        "checks": "STRING",  # JSON: each check and its differences
        "shadows": "STRING",  # JSON: what the other definitions of views came to in this build
        "completeness": "STRING",  # JSON: of each listing, how many days are complete, and what was listed and kept
        "accepted": "STRING",  # JSON: what named persons have accepted that concerns it
        "seal_head": "STRING",  # hash of the last seal of the raw store; NULL where nothing is sealed
        "sealed_until_ms": "INT64",  # up to where it covers everything that came
        "code_version": "STRING",
        "ledger_state_hash": "STRING",
        "raw_count": "INT64",
        "raw_digest": "STRING",
        "certified_at_ms": "INT64",
    },
)

RESTATEMENT = Input(
    "certificates.restatement",
    "One row per certified month, currency and business unit that a later build certified with other figures. Only added.",
    {
        "restatement_id": "STRING",
        "month": "STRING",
        "currency": "STRING",
        "business_unit": "STRING",
        "earlier_certificate_id": "STRING",
        "earlier_build_id": "STRING",
        "earlier_certified_at_ms": "INT64",
        "earlier_code_version": "STRING",
        "later_build_id": "STRING",
        "later_code_version": "STRING",
        "restated_at_ms": "INT64",
        "is_explained": "BOOL",
        "figures": "STRING",  # JSON: each changed figure, and the items and statements behind its change
    },
)


def entity_input(kind: EntityKind) -> Input:
    """Return the staging table of a kind of entity: its key, its state, and one column per field it may have."""
    fields = {name: _GOOGLE_TYPES[field.type] for name, field in FIELDS[kind].items()}
    state = {
        "key": "STRING",
        "provider": "STRING",
        "entity_id": "STRING",
        "has_conflict": "BOOL",
        "version_at_ms": "INT64",
    }
    return Input(f"staging.{kind.value}", f"One row per {kind.value} that the ledger describes.", {**state, **fields})


ENTITIES: Mapping[EntityKind, Input] = {kind: entity_input(kind) for kind in EntityKind}

INPUTS: tuple[Input, ...] = (
    DELIVERIES,
    VERDICTS,
    COMPARED_DAYS,
    DIFFERENCES,
    EXCEPTIONS,
    COMPLETENESS,
    *ENTITIES.values(),
    PUBLISHED,
    CERTIFICATE,
    RESTATEMENT,
)


def delivery_row(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery as a row of `staging.deliveries`."""
    return {
        "delivery_id": delivery.delivery_id,
        "object_name": delivery.object_name,
        "provider": delivery.provider,
        "channel": delivery.channel.value,
        "channel_rank": delivery.channel.rank,
        "target": delivery.target,
        "received_at_ms": to_ms(delivery.received_at),
        "body": delivery.body.decode("utf-8") if reads_alike(delivery.body) else None,
        "body_sha256": delivery.body_sha256,
    }


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """Return the standing outcome of a delivery as a row of `staging.verdicts`."""
    return {
        "delivery_id": verdict.delivery_id,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason.partition(":")[0],
        "event_key": verdict.event_key,
        "event_type": verdict.event_type,
    }


def entity_row(entity: Entity) -> dict[str, Any]:
    """Return a described entity as a row of its kind's staging table."""
    return {
        "key": str(entity.key),
        "provider": entity.key.provider,
        "entity_id": entity.key.entity_id,
        "has_conflict": entity.has_conflict,
        "version_at_ms": entity.version_at_ms,
        **entity.values,
    }


def compared_day_rows(
    runs: Iterable[ReconciliationRun], open_differences: Iterable[Difference]
) -> Iterator[dict[str, Any]]:
    """Yield `staging.compared_day`: when each whole day was last compared, and how many differences are open there."""
    compared: dict[tuple[str, str, date], int] = {}
    for run in runs:
        if run.job == LISTING_JOB and not run.has_failed and run.kind is not None and run.window is not None:
            for day in _whole_days(run.window):
                place = (run.provider, run.kind.value, day)
                compared[place] = max(compared.get(place, 0), to_ms(run.started_at))
    open_on: Counter[tuple[str, str, date]] = Counter()
    for difference in (each for each in open_differences if each.job == LISTING_JOB):
        key = difference.mismatch.key
        open_on.update((key.provider, key.kind.value, day) for day in difference.window.days())
    for provider, kind, day in sorted(compared.keys() | open_on.keys()):
        place = (provider, kind, day)
        yield {
            "provider": provider,
            "kind": kind,
            "day": day,
            "compared_at_ms": compared.get(place, 0),
            "open_differences": open_on[place],
        }


def completeness_row(certificate: CompletenessCertificate) -> dict[str, Any]:
    """Return a day's standing certificate as a row of `staging.completeness`."""
    return {
        "provider": certificate.provider,
        "kind": certificate.kind.value,
        "day": certificate.day,
        "is_complete": certificate.is_complete,
        "listed": certificate.listed,
        "present": certificate.present,
        "gaps": certificate.gap_count,
        "certified_at_ms": to_ms(certificate.certified_at),
    }


def _whole_days(window: Window) -> Iterator[date]:
    """Yield the days that a window holds from their first moment to their last."""
    for day in window.days():
        whole = Window.of_days(day, day)
        if window.start <= whole.start and whole.end <= window.end:
            yield day


def reads_alike(body: bytes) -> bool:
    """Return whether every engine reads a body the same: JSON in UTF-8, no NaN, no key twice, no half of a character."""
    try:
        jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="none")
    except ValueError:
        return False
    return True
