"""Matching: what the rules make of what no provider has linked, and what other rules would make of it."""

import sys
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
import yaml

from local.console import harmless, out
from local.context import DEFAULT_HOME, FirstDay, Home, LastDay, now, window, world
from shared.domain.deliveries import STATEMENT
from shared.domain.errors import SettingsError
from shared.domain.matching import Decision, Rule
from shared.domain.matching_rules import RULES
from shared.pipeline.matching import Change, Matching, declared_rules, preview
from shared.runtime.parts import Parts


class Format(StrEnum):
    """How an answer is given, line by line, however many there are."""

    TEXT = "text"
    JSON = "json"
    """One JSON object a line; the last one holds the counts."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("match")(match)


def match(
    home: Home = DEFAULT_HOME,
    *,
    show_preview: Annotated[
        bool, typer.Option("--preview", help="Show what the rules of --rules would change, and change nothing.")
    ] = False,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules", exists=True, dir_okay=False, help="A YAML file of rules in the form of docs/matching.md."
        ),
    ] = None,
    first: FirstDay = None,
    last: LastDay = None,
    form: Annotated[Format, typer.Option("--format", help="Lines to read, or one JSON object a line.")] = Format.TEXT,
) -> None:
    """Match payments to sales, refunds to payments and tickets, settlement lines to payments, and say by which rule.

    What a provider has linked is counted only. The rest is matched by a named rule, waiting until its deadline, or
    unmatched, and then says why each candidate was declined. Nothing is kept: the job `matching` opens the exceptions.
    """
    declared = _read(rules) if rules else RULES
    if show_preview and rules is None:
        raise SettingsError("--preview compares with other rules; name their file with --rules")
    span = window(first, last)
    with world(home) as parts:
        present, other = _matching(parts, RULES), _matching(parts, declared)
        if show_preview:
            counts = _emit(map(_change_document, preview(present, other, span)), form, "what")
        else:
            counts = _emit(map(_decision_document, other.decisions(span)), form, "standing")
    counts = {"stated": other.stated.total(), **counts}
    if form is Format.JSON:
        sys.stdout.write(orjson.dumps({"counts": counts}).decode() + "\n")
    else:
        out.print(", ".join(f"{name} {count:,}" for name, count in counts.items()))


def _matching(parts: Parts, rules: tuple[Rule, ...]) -> Matching:
    return Matching(parts.ledger, (*parts.settings.providers, STATEMENT), rules)


def _read(path: Path) -> tuple[Rule, ...]:
    try:
        return declared_rules(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as malformed:
        raise SettingsError(f"{path} is no YAML: {malformed}") from None


def _emit(documents: Iterator[dict[str, Any]], form: Format, counted: str) -> dict[str, int]:
    """Write each document as it comes, holding none, and return how many there were of each."""
    counts: Counter[str] = Counter()
    for document in documents:
        counts[str(document[counted])] += 1
        if form is Format.JSON:
            sys.stdout.write(orjson.dumps(document).decode() + "\n")
        else:
            out.print(harmless(_in_words(document)), soft_wrap=True)
    return dict(sorted(counts.items()))


def _decision_document(decision: Decision) -> dict[str, Any]:
    return {
        "standing": decision.standing(now()).value,
        "pairing": decision.pairing.value,
        "subject": str(decision.subject.key),
        "due_at": decision.due_at.isoformat(),
        **_outcome_document(decision),
    }


def _outcome_document(decision: Decision) -> dict[str, Any]:
    return {
        "target": str(decision.target) if decision.target else None,
        "rule": decision.rule or None,
        "declined": [
            {"rule": each.rule, "candidate": str(each.candidate) if each.candidate else None, "why": each.why}
            for each in decision.declined
        ],
    }


def _change_document(change: Change) -> dict[str, Any]:
    return {
        "what": change.what,
        "pairing": change.before.pairing.value,
        "subject": str(change.before.subject.key),
        "before": _outcome_document(change.before),
        "after": _outcome_document(change.after),
    }


def _in_words(document: dict[str, Any]) -> str:
    if "what" in document:
        before, after = (_side_in_words(document[side]) for side in ("before", "after"))
        return f"{document['what']}: {document['subject']} ({document['pairing']})\n  before {before}\n  after {after}"
    return f"{document['standing']}: {document['subject']} ({document['pairing']})\n  {_side_in_words(document)}"


def _side_in_words(side: dict[str, Any]) -> str:
    if side["target"]:
        return f"{side['target']} by {side['rule']}"
    declined = (
        f"{each['rule']}: {each['candidate'] + ': ' if each['candidate'] else ''}{each['why']}"
        for each in side["declined"]
    )
    return f"nothing; {'; '.join(declined)}"
