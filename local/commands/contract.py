"""The contract under version control: what changed between two snapshots, and how what arrived departs from the pinned one."""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from local.console import emit_json, out, progress, table
from local.context import DEFAULT_HOME, AsJson, FirstDay, Home, LastDay, window, world
from shared.contracts import observation
from shared.contracts.comparison import Change, Severity, compare
from shared.contracts.observation import Departure, Observations, Seen
from shared.contracts.policy import Treatment, rule_for, treatment
from shared.contracts.snapshot import Contract, load, pinned, pinned_providers
from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import UnreadableError
from shared.providers.toolkit.compression import opened_object

app = typer.Typer(
    no_args_is_help=True, help="Compare snapshots of a provider's contract; hold what arrived against it."
)


class FailOnChange(StrEnum):
    """From which severity on a comparison ends with status 1."""

    HARMLESS = "harmless"
    NOTABLE = "notable"
    BREAKING = "breaking"
    NEVER = "never"


class FailOnTreatment(StrEnum):
    """From which treatment on an observation ends with status 1."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    STOPPING = "stopping"
    NEVER = "never"


def register(parent: typer.Typer) -> None:
    """Add the commands of this module, under `contract`."""
    app.command("diff")(diff)
    app.command("observe")(observe)
    parent.add_typer(app, name="contract")


def diff(
    old: Annotated[Path, typer.Argument(help="The earlier snapshot: OpenAPI 3.1, YAML or JSON.")],
    new: Annotated[Path, typer.Argument(help="The later one.")],
    *,
    fail_on: Annotated[
        FailOnChange, typer.Option("--fail-on", help="End with status 1 from this severity on.")
    ] = FailOnChange.BREAKING,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two snapshots, inside webhook payloads too, and how much each change matters to us."""
    changes = compare(load(old), load(new))
    if as_json:
        emit_json({"worst": _worst(changes), "changes": [_change_document(change) for change in changes]})
    else:
        _show_changes(changes)
    if fail_on is not FailOnChange.NEVER and any(change.severity >= Severity[fail_on.name] for change in changes):
        raise typer.Exit(1)


def observe(
    home: Home = DEFAULT_HOME,
    *,
    provider: Annotated[str | None, typer.Option("--provider", help="Only of this provider.")] = None,
    first: FirstDay = None,
    last: LastDay = None,
    fail_on: Annotated[
        FailOnTreatment, typer.Option("--fail-on", help="End with status 1 from this treatment on.")
    ] = FailOnTreatment.QUARANTINED,
    as_json: AsJson = False,
) -> None:
    """Hold the kept webhooks and API answers against the pinned contract, and count how they depart from it.

    Shows types, never values, except new words of enumerations that are not about people. The treatment is what the
    policy of this version says; derive asks it of each delivery that its provider can read.
    """
    contracts = {name: pinned(name) for name in ([provider] if provider else pinned_providers())}
    observed = {name: _Observed() for name in contracts}
    span = window(first, last)
    with world(home) as parts, progress("holding deliveries against their contract") as meter:
        for delivery in parts.raw.deliveries(span):
            if delivery.provider in contracts and delivery.channel in (Channel.WEBHOOK, Channel.FETCH):
                observed[delivery.provider].add(delivery, contracts[delivery.provider])
            meter.advance()
    if as_json:
        emit_json({name: _observed_document(each, contracts[name]) for name, each in observed.items()})
    else:
        for name, each in observed.items():
            _show_observed(name, each, contracts[name])
    treatments = [found for each in observed.values() for found in each.treatments.elements()]
    if fail_on is not FailOnTreatment.NEVER and any(found >= Treatment[fail_on.name] for found in treatments):
        raise typer.Exit(1)


# Changes


def _worst(changes: tuple[Change, ...]) -> str | None:
    return max((change.severity for change in changes), default=Severity.HARMLESS).name.lower() if changes else None


def _change_document(change: Change) -> dict[str, Any]:
    return {
        "severity": change.severity.name.lower(),
        "kind": change.kind.value,
        "operation": change.operation,
        "message": change.message,
        "path": change.path,
        "part": change.part,
        "before": change.before,
        "after": change.after,
        "is_money": change.is_money,
    }


def _show_changes(changes: tuple[Change, ...]) -> None:
    """Show what changed in a shared part once, with the number of places that it stands in."""
    if not changes:
        out.print("The snapshots say the same.")
        return
    places: dict[tuple[str, ...], list[str]] = {}
    for change in changes:
        line = (
            change.severity.name.lower(),
            change.kind.value,
            change.part or change.path,
            change.before,
            change.after,
        )
        places.setdefault(line, []).append(f"{change.operation} {change.message} {change.path}".strip())
    rows = [(*line, _places(where)) for line, where in places.items()]
    table(f"Changes: {len(rows)}", ("severity", "change", "part", "before", "after", "where"), rows)


def _places(where: list[str]) -> str:
    return where[0] if len(where) == 1 else f"{where[0]} and {len(where) - 1} more"


# Observations


class _Observed:
    """What was held against one provider's contract."""

    def __init__(self) -> None:
        self.counts = Observations()
        self.treatments: Counter[Treatment] = Counter()

    def add(self, delivery: Delivery, contract: Contract) -> None:
        """Hold one delivery against the contract and count what is found."""
        event, found = _examined(delivery, contract)
        self.treatments[treatment(self.counts.add(event, found, delivery.delivery_id))] += 1


def _examined(delivery: Delivery, contract: Contract) -> tuple[str, list[Departure]]:
    try:
        content = opened_object(delivery.body)
    except UnreadableError as fault:
        return f"{delivery.channel.value} that cannot be read", observation.unreadable(fault.reason.value)
    if delivery.channel is Channel.WEBHOOK:
        return observation.of_webhook(contract, content)
    return observation.of_answer(contract, delivery.target, content)


def _observed_document(observed: _Observed, contract: Contract) -> dict[str, Any]:
    return {
        "contract_version": contract.version,
        "deliveries": dict(sorted(observed.counts.deliveries.items())),
        "departing": {event: count for event, count in sorted(observed.counts.departing.items()) if count},
        "treatments": {each.name.lower(): observed.treatments[each] for each in Treatment},
        "departures": [_seen_document(line) for line in observed.counts.seen()],
    }


def _seen_document(line: Seen) -> dict[str, Any]:
    rule = rule_for(line.departure)
    return {
        "event_type": line.event_type,
        "path": line.departure.path,
        "kind": line.departure.kind.value,
        "expected": line.departure.expected,
        "seen": line.departure.seen,
        "is_money": line.departure.is_money,
        "certainty": line.departure.certainty,
        "deliveries": line.count,
        "first_delivery_id": line.first_delivery_id,
        "treatment": rule.treatment.name.lower(),
        "rule": rule.name,
        "because": rule.because,
    }


def _show_observed(provider: str, observed: _Observed, contract: Contract) -> None:
    rows = [
        (event, count, observed.counts.departing[event]) for event, count in sorted(observed.counts.deliveries.items())
    ]
    table(f"{provider}, held against {contract.version}", ("event or call", ">deliveries", ">departing"), rows)
    seen = observed.counts.seen()
    if not seen:
        out.print(f"Every delivery of {provider} is as its contract says.")
        return
    lines = [(rule_for(line.departure).treatment.name.lower(), *_shown(line), line.count) for line in seen]
    table(f"Departures: {len(lines)}", ("treatment", "where", "departure", ">deliveries"), lines)
    table(
        "The policy says",
        ("treatment", ">deliveries"),
        [(each.name.lower(), observed.treatments[each]) for each in Treatment],
    )


def _shown(line: Seen) -> tuple[str, str]:
    """Return where a departure stands and what it is, in words that wrap; --json names a delivery to look at."""
    found = line.departure
    kind = f"{found.kind.value} of an amount" if found.is_money else found.kind.value
    expected = f"{found.expected} ({found.certainty})" if found.certainty else found.expected
    return f"{line.event_type} {found.path}".strip(), f"{kind}: {found.seen} instead of {expected}"
