"""Certificates, recomputed: what they say of figures against the published rows, and their digests against the raw store."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import zip_longest
from typing import Any

from shared.bi.certification import Grain, catalog
from shared.bi.inputs import CERTIFICATE, PUBLISHED
from shared.bi.models import Model
from shared.bi.publication import contents_sql
from shared.domain.deliveries import Delivery
from shared.domain.times import to_ms
from shared.pipeline.verification.findings import Findings
from shared.pipeline.verification.streams import ILLEGIBLE
from shared.ports.warehouse import Row, Warehouse

_FIGURE = "mart.figure"
_EVERY_MONTH = "9999-12"
"""Later than any month: the figures of all months that a build holds."""

Figures = dict[str, tuple[int, int]]
"""Figure to count and amount in minor units."""


@dataclass(slots=True)
class RawDigest:
    """The digest over the names and bodies of all deliveries that came up to a moment, taken as a build takes it."""

    until_ms: int
    count: int = 0
    _digest: Any = field(default_factory=sha256)

    def add(self, delivery: Delivery) -> None:
        """Take one delivery in; they come in order of their names."""
        if to_ms(delivery.received_at) <= self.until_ms:
            self.count += 1
            self._digest.update(f"{delivery.object_name} {delivery.body_sha256}\n".encode())

    def hex(self) -> str:
        """Return the digest."""
        return str(self._digest.hexdigest())


@dataclass(slots=True)
class Certificates:
    """Every certificate there is, which of them are published, and the raw store as of each published build."""

    rows: Sequence[Row]
    published: Mapping[Grain, str]
    """Month, currency and business unit to the build that viz shows."""
    raw: Mapping[str, RawDigest]
    """Build to the digest of what had come by then."""

    @classmethod
    def load(cls, warehouse: Warehouse) -> "Certificates":
        """Read all certificates; there are a few for each month and build."""
        for table in (CERTIFICATE, PUBLISHED):
            warehouse.ensure_table(table.name, table.columns)
        rows = list(warehouse.query("SELECT * FROM certificates.certificate ORDER BY build_id, certificate_id", {}))
        shown = list(
            warehouse.query("SELECT * FROM certificates.published ORDER BY month, currency, business_unit", {})
        )
        published = {_grain(row): str(row["build_id"]) for row in shown}
        builds = set(published.values())
        raw = {
            str(row["build_id"]): RawDigest(_whole(row["certified_at_ms"])) for row in rows if row["build_id"] in builds
        }
        return cls(rows, published, raw)

    def add(self, delivery: Delivery) -> None:
        """Take a delivery into the digest of every published build by which it had come."""
        for digest in self.raw.values():
            digest.add(delivery)


@dataclass(frozen=True, slots=True)
class LedgerNow:
    """What the ledger and the raw store come to now."""

    raw_count: int
    state_hash: str
    last_attempt_ms: int
    code_version: str
    chain: Mapping[str, datetime]
    """Hash of every seal to the moment up to where the chain covers everything with it."""


def check_certificates(certificates: Certificates, warehouse: Warehouse, now: LedgerNow, found: Findings) -> None:
    """Recompute what every certificate says, and what viz shows by it."""
    by_place: dict[tuple[str, Grain], Row] = {}
    for row in certificates.rows:
        found.checked += 1
        by_place[str(row["build_id"]), _grain(row)] = row
        if row["certificate_id"] != _certificate_id(str(row["build_id"]), _grain(row)):
            found.differs(f"a certificate of {_grain(row)} in build {row['build_id']} is not the one that was written")
        _check_seal(row, now.chain, found)
    figures = {build: _figures_of(build, certificates, warehouse, found) for build in sorted(certificates.raw)}
    for grain, build in certificates.published.items():
        certificate = by_place.get((build, grain))
        if certificate is None or not certificate["passed"]:
            found.differs(
                f"{grain} is shown by build {build} and {'was refused' if certificate else 'has no certificate'} there"
            )
            continue
        try:
            _check_figures(grain, certificate, figures[build][grain], found)
            _check_digests(grain, certificate, certificates.raw[build], now, found)
        except ILLEGIBLE as broken:
            found.differs(
                f"the certificate of {grain} cannot be read ({type(broken).__name__}): it was edited; rebuild"
            )
    if certificates.published:
        for model in catalog():
            if model.is_view:
                _check_view(model, warehouse, found)


def _check_seal(certificate: Row, chain: Mapping[str, datetime], found: Findings) -> None:
    """Hold the seal that a certificate stands on against the chain: it noted the head of its time elsewhere."""
    head, until_ms = certificate["seal_head"], certificate["sealed_until_ms"]
    if head is None:
        return
    until = chain.get(str(head))
    if until is None:
        found.differs(
            f"{_grain(certificate)} was certified in build {certificate['build_id']} on the seal {head}, which the chain does "
            "not hold: seals were replaced or removed since; bring them back from a copy"
        )
    elif to_ms(until) != until_ms:
        found.differs(
            f"the certificate of {_grain(certificate)} says another end of what seal {head} covers: it was edited"
        )


def _figures_of(
    build: str, certificates: Certificates, warehouse: Warehouse, found: Findings
) -> Mapping[Grain, Figures]:
    """Return the figures of a build, computed anew from its mart; the stored ones must be the same."""
    model = next(model for model in catalog() if model.name == _FIGURE)
    parameters = {"build_id": build, "open_month": _EVERY_MONTH}
    columns = ", ".join(column.name for column in model.columns)
    anew = _gathered(warehouse.query(f"SELECT {columns} FROM (\n{model.sql}\n) AS anew", parameters))  # noqa: S608  a model of ours
    stored = _gathered(warehouse.query(contents_sql(model), parameters))
    for grain, shown_build in certificates.published.items():
        if shown_build == build and stored[grain] != anew[grain]:
            found.differs(f"{grain}: {_FIGURE} of build {build} is not what its mart sums to; rebuild")
    return anew


def _gathered(rows: Iterable[Row]) -> Mapping[Grain, Figures]:
    gathered: dict[Grain, Figures] = defaultdict(dict)
    for row in rows:
        gathered[_grain(row)][str(row["figure"])] = (_whole(row["item_count"]), _whole(row["amount_minor"]))
    return gathered


def _check_figures(grain: Grain, certificate: Row, shown: Figures, found: Findings) -> None:
    if any(json.loads(str(certificate["checks"])).values()):
        found.differs(f"the certificate of {grain} names differences and cannot have passed; rebuild")
    certified = json.loads(str(certificate["figures"]))
    for name in sorted(certified.keys() | shown.keys()):
        ledger_count, ledger_minor, *control = certified.get(name, (0, 0, 0, 0))
        if [ledger_count, ledger_minor] != control:
            found.differs(f"{grain} {name}: the certificate holds two figures, {ledger_minor} and {control}")
        elif (ledger_count, ledger_minor) != shown.get(name, (0, 0)):
            count, amount_minor = shown.get(name, (0, 0))
            found.differs(
                f"{grain} {name}: certified are {ledger_count} items of {ledger_minor} minor units in all, the mart of "
                f"build {certificate['build_id']} holds {count} of {amount_minor}; rebuild"
            )


def _check_digests(grain: Grain, certificate: Row, raw: RawDigest, now: LedgerNow, found: Findings) -> None:
    """Hold a certificate's digests against the present where the present is what it was about."""
    count = _whole(certificate["raw_count"])
    if count > now.raw_count:
        found.differs(f"{grain} was certified over {count} deliveries and the raw store holds {now.raw_count}")
    elif count != raw.count:
        found.cannot_check(f"{grain}: deliveries came while build {certificate['build_id']} was being made")
    elif certificate["raw_digest"] != raw.hex():
        found.differs(f"{grain} was certified over other bytes than the raw store holds of that time")
    elif (
        count != now.raw_count
        or certificate["code_version"] != now.code_version
        or now.last_attempt_ms > _whole(certificate["certified_at_ms"])
    ):
        found.cannot_check(f"{grain}: ledger or code have moved on since build {certificate['build_id']}")
    elif certificate["ledger_state_hash"] != now.state_hash:
        found.differs(f"{grain} was certified over another ledger, and nothing has been derived since")


def _check_view(model: Model, warehouse: Warehouse, found: Findings) -> None:
    """Hold what a view shows against its model's own query."""
    found.checked += 1
    shown_sql = contents_sql(model)
    meant_sql = shown_sql.replace(f"FROM {model.name} AS", f"FROM (\n{model.sql}\n) AS")
    rows = zip_longest(warehouse.query(shown_sql, {}), warehouse.query(meant_sql, {}))
    if any(shown != meant for shown, meant in rows):
        found.differs(f"{model.name} shows other rows than its model says: one of them was changed; rebuild")


def _certificate_id(build_id: str, grain: Grain) -> str:
    """Return the id that a certificate has by what it is about, as the rebuild gives it."""
    return sha256(f"{build_id}\n{grain}".encode()).hexdigest()[:32]


def _grain(row: Mapping[str, Any]) -> Grain:
    return Grain(*(str(row[part]) for part in Grain._fields))


def _whole(cell: object) -> int:
    if type(cell) is not int:
        msg = f"a figure is a whole number, not {type(cell).__name__}"
        raise TypeError(msg)
    return cell
