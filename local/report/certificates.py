"""What the report says of certificates: what a month stands on, what was accepted by whom, and what was restated."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from local.report.figures import Certificate
from local.report.markup import Markup, joined, tag
from local.report.tables import Row, amount, table
from shared.bi.restatement import Restatement
from shared.domain.times import BUSINESS_ZONE, from_ms


def certificate_section(certificate: Certificate) -> Markup:
    """Return what the month stands on."""
    said = [
        ("certificate", certificate.certificate_id),
        ("certified", _moment(certificate.certified_at_ms)),
        ("build", certificate.build_id),
        ("code", certificate.code_version),
        ("ledger state", certificate.ledger_state_hash),
        ("raw store", f"{certificate.raw_count:,} deliveries, digest {certificate.raw_digest}"),
    ]
    if seal := certificate.rest.get("seal_head"):
        said.append(("sealed up to", f"{_moment(certificate.rest['sealed_until_ms'])}, head {seal}"))
    described = tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in said])
    return joined(
        [
            tag("h4", "Certificate and reconciliation"),
            tag("p", _state(certificate)),
            _completeness(_listed(certificate.rest.get("completeness"))),
            _accepted(_listed(certificate.rest.get("accepted"))),
            tag("details", tag("summary", "What the certificate stands on"), described, _checks(certificate)),
        ]
    )


def _state(certificate: Certificate) -> str:
    accepted = len(_listed(certificate.rest.get("accepted")))
    open_cases = f"{accepted} accepted by a named person" if accepted else "none accepted, none open"
    return f"{len(certificate.checks)} checks passed; differences with providers and open cases: {open_cases}."


def _completeness(kinds: list[Mapping[str, Any]]) -> Markup:
    if not kinds:
        return Markup()
    rows = [
        Row(
            f"{each['provider']}, {each['kind']}",
            (f"{each['days_complete']} of {each['days_in_month']}", f"{each['listed']:,}", f"{each['present']:,}"),
        )
        for each in kinds
    ]
    return table("Completeness: what providers list is kept", ("listing", ">days complete", ">listed", ">kept"), rows)


def _accepted(accepted: list[Mapping[str, Any]]) -> Markup:
    if not accepted:
        return Markup()
    rows = [
        Row(f"{each['kind']} {each['subject']}", (_at_risk(each), each["decision"], each["decided_by"], each["reason"]))
        for each in accepted
    ]
    return table("Accepted by a person", ("case", ">at risk", "decision", "by", "reason"), rows)


def _at_risk(case: Mapping[str, Any]) -> str:
    if case.get("at_risk_minor") is None:
        return "not known"
    return f"{case['at_risk_currency']} {amount(case['at_risk_currency'], case['at_risk_minor'])}"


def _checks(certificate: Certificate) -> Markup:
    return tag("ol", [tag("li", tag("code", check)) for check in certificate.checks])


def restatements_section(restatements: Iterable[Restatement]) -> Markup:
    """Return which certified months changed, from what to what, and whether that is explained."""
    sections = [_restatement(each) for each in restatements]
    nothing = tag("p", "No certified month was restated.")
    return tag(
        "section", tag("h2", "Restatements", id="restatements"), sections or nothing, aria_labelledby="restatements"
    )


def _restatement(restatement: Restatement) -> Markup:
    currency = restatement.grain.currency
    rows = [
        Row(
            figure.figure,
            tuple(
                amount(currency, minor)
                for minor in (figure.certified_minor, figure.now_minor, figure.change_minor, figure.explained_minor)
            ),
        )
        for figure in restatement.figures
    ]
    caption = (
        f"{restatement.grain}: certified {_moment(restatement.earlier_certified_at_ms)}, restated "
        f"{_moment(restatement.restated_at_ms)}{'' if restatement.is_explained else '; not all of it is explained'}"
    )
    behind = [
        tag("li", f"{item.entity}, {amount(currency, item.change_minor)}: {item.why}. ", _events(item.statements))
        for figure in restatement.figures
        for item in figure.items[:_ITEMS_SHOWN]
    ]
    return joined(
        [
            table(caption, ("figure", ">certified", ">now", ">change", ">explained"), rows),
            tag("details", tag("summary", "What is behind it"), tag("ul", behind)),
        ]
    )


_ITEMS_SHOWN = 5
"""How many items of a restated figure are named; the command shows all that were followed."""


def _events(statements: Iterable[Any]) -> Markup:
    return joined([tag("code", f"{each.event_key} in {each.object_name} ") for each in statements])


def _listed(text: object) -> list[Mapping[str, Any]]:
    """Return a JSON list of a certificate; empty where it was written before there was one."""
    return list(json.loads(text)) if isinstance(text, str) and text else []


def _moment(instant_ms: int) -> str:
    return f"{from_ms(instant_ms).astimezone(BUSINESS_ZONE):%Y-%m-%d %H:%M} Buenos Aires time"
