"""Questions to the ledger, and replay."""

from collections import Counter
from contextlib import nullcontext
from typing import Annotated

import typer

from local.console import emit_json, err, out, progress, table
from local.context import DEFAULT_HOME, AsJson, FirstDay, Home, LastDay, now, window, world, world_here
from shared.domain.errors import SettingsError
from shared.domain.outcomes import Outcome, Verdict
from shared.pipeline.derive import replay as replay_deliveries
from shared.pipeline.state_hash import state_hash
from shared.runtime import wiring


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("state-hash")(show_state_hash)
    app.command("outcomes")(outcomes)
    app.command("replay")(replay)


def show_state_hash(home: Home = DEFAULT_HOME, *, as_json: AsJson = False) -> None:
    """Print the canonical hash of the ledger: equal wherever the same deliveries were derived, in whatever order."""
    with world(home) as parts:
        digest = state_hash(parts.ledger.entities())
    if as_json:
        emit_json({"state_hash": digest})
    else:
        out.print(digest)


def outcomes(
    home: Home = DEFAULT_HOME,
    *,
    of: Annotated[list[Outcome] | None, typer.Option("--of", help="Only these; may be given more than once.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many deliveries to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Count what became of every delivery, and list those that need attention (or those of `--of`) with the reason."""
    with world(home) as parts:
        counts = parts.ledger.outcome_counts()
        wanted = of or [outcome for outcome in Outcome if outcome.needs_attention]
        listed = [verdict for verdict, _ in zip(parts.ledger.verdicts(wanted), range(limit), strict=False)]
    if as_json:
        emit_json({"counts": {o.value: counts.get(o, 0) for o in Outcome}, "deliveries": [*map(_document, listed)]})
        return
    table("Outcomes", ("outcome", ">deliveries"), [(o.value, counts.get(o, 0)) for o in Outcome])
    if listed:
        rows = [(v.delivery_id, v.event_type, v.outcome.value, v.reason, len(v.attempts)) for v in listed]
        table(f"First {len(listed)}", ("delivery", "event", "outcome", "reason", ">attempts"), rows)


def replay(
    home: Home = DEFAULT_HOME,
    *,
    first: FirstDay = None,
    last: LastDay = None,
    of: Annotated[list[Outcome] | None, typer.Option("--of", help="Only deliveries that ended so.")] = None,
    into: Annotated[
        Home | None, typer.Option("--into", help="An empty home folder: derive everything into it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Derive kept deliveries again: those of a window, those that ended in an outcome, or all into an empty ledger.

    Each replay is an attempt of its own, kept beside the first.
    """
    if into is not None and of:
        raise SettingsError("--into derives everything; leave --of out")
    with world(home) as parts, nullcontext(parts) if into is None else world_here(into) as target:
        if into is not None and any(True for _ in target.ledger.entities()):
            raise SettingsError(f"{into} already holds a ledger; name an empty folder")
        deriving = wiring.deriving(parts) if into is None else wiring.deriving_into(parts, target)
        deliveries = parts.raw.deliveries(window(first, last))
        if of:
            wanted = {verdict.delivery_id for verdict in parts.ledger.verdicts(of)}
            deliveries = (each for each in deliveries if each.delivery_id in wanted)
        counts: Counter[Outcome] = Counter()
        with progress("replaying") as meter:
            for verdicts in replay_deliveries(deliveries, deriving, now()):
                counts.update(verdict.outcome for verdict in verdicts)
                meter.advance(len(verdicts))
        digest = state_hash(target.ledger.entities())
    if as_json:
        emit_json({"replayed": {o.value: counts[o] for o in Outcome}, "state_hash": digest})
        return
    table("Replayed", ("outcome", ">deliveries"), [(o.value, counts[o]) for o in Outcome])
    err.print(f"state hash {digest}")


def _document(verdict: Verdict) -> dict[str, object]:
    return {
        "delivery_id": verdict.delivery_id,
        "object_name": verdict.object_name,
        "event_key": verdict.event_key,
        "event_type": verdict.event_type,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "attempts": [[each.at_ms, each.outcome.value, each.reason, each.code_version] for each in verdict.attempts],
    }
