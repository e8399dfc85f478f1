"""Seal closed hours, verify everything, and prove that one delivery was sealed."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from local.console import emit_json, err, out, progress, table
from local.context import DEFAULT_HOME, AsJson, Home, now, world
from shared.domain.errors import NotFoundError
from shared.domain.seals import Seal
from shared.pipeline import seal as sealing
from shared.pipeline.verify import Verification
from shared.pipeline.verify import verify as verify_world
from shared.runtime import wiring


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("seal")(seal)
    app.command("verify")(verify)
    app.command("prove")(prove)


def seal(
    home: Home = DEFAULT_HOME,
    *,
    late: Annotated[
        bool, typer.Option("--late", help="Seal, by addenda, what came under hours that are sealed already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Seal every closed hour of the raw store; doing it again does nothing.

    An hour is closed a quarter of an hour after its end. Keep the hash of the last seal elsewhere: `asiento verify --head`
    then proves that no seal was replaced.
    """
    with world(home) as parts, progress("sealing"):
        run, wired = sealing.seal_late if late else sealing.seal, wiring.sealing(parts)
        made = run(wired, now())
        head = wired.seals.head()
    if as_json:
        emit_json({"sealed": [_document(each) for each in made], "head": head.seal_hash if head else None})
        return
    rows = [
        (each.place, each.contents.object_count, each.contents.body_bytes, each.contents.merkle_root) for each in made
    ]
    if rows:
        table("Sealed", ("seal", ">deliveries", ">bytes", "Merkle root"), rows)
    else:
        err.print("nothing to seal: no hour has closed since the last seal")
    if head is not None:
        out.print(f"head {head.seal_hash}", soft_wrap=True)


def verify(
    home: Home = DEFAULT_HOME,
    *,
    head: Annotated[
        str, typer.Option("--head", metavar="HASH", help="Hash of a seal that was noted elsewhere: it must be there.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Recompute seals, signatures, facts, ledger and certificates from the raw bytes, and name what differs first.

    Ends with status 1 if anything differs. Run it while nothing is being derived.
    """
    with (
        world(home) as parts,
        wiring.verifying(parts) as verifying,
        progress("reading every delivery again") as meter,
    ):
        result = verify_world(verifying, now(), expected_head=head, on_progress=meter.advance)
    if as_json:
        emit_json(_verification(result))
    else:
        _show(result)
    if not result.holds:
        raise typer.Exit(1)


def prove(
    delivery_id: Annotated[str, typer.Argument(metavar="DELIVERY_ID")],
    home: Home = DEFAULT_HOME,
    *,
    as_json: AsJson = False,
) -> None:
    """Prove that a delivery is as it was when its hour was sealed: its leaf, and the way from there to the Merkle root."""
    with world(home) as parts:
        verdict = parts.ledger.verdict(delivery_id)
        if verdict is None:
            raise NotFoundError(
                f"delivery {delivery_id} has no outcome here; `asiento trace` shows deliveries by number"
            )
        proof = sealing.prove(wiring.sealing(parts), verdict.object_name)
    if as_json:
        emit_json(asdict(proof))
        return
    out.print(f"leaf {proof.index} of {proof.count}: {proof.leaf}", soft_wrap=True, markup=False)
    for sibling in proof.path:
        out.print(f"  with {sibling}", soft_wrap=True)
    out.print(f"gives the Merkle root {proof.merkle_root} of seal {proof.sequence}", soft_wrap=True)
    out.print(f"whose hash is {proof.seal_hash}", soft_wrap=True)


def _document(made: Seal) -> dict[str, Any]:
    return {
        "sequence": made.sequence,
        "covers_from": made.covers.start.isoformat(),
        "covers_until": made.covers.end.isoformat(),
        "is_addendum": made.is_addendum,
        **asdict(made.contents),
        "seal_hash": made.seal_hash,
    }


def _verification(result: Verification) -> dict[str, Any]:
    return {
        "holds": result.holds,
        "raw_count": result.raw_count,
        "state_hash": result.state_hash,
        "head": result.head.seal_hash if result.head else None,
        "areas": {found.area.value: {"holds": found.holds, **_counts(asdict(found))} for found in result.findings},
    }


def _counts(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "area"}


def _show(result: Verification) -> None:
    rows = [
        ("✔" if found.holds else "✘", found.area.value, found.checked, found.differing, found.unchecked)
        for found in result.findings
    ]
    table(f"{result.raw_count:,} deliveries", ("", "area", ">checked", ">differing", ">cannot be checked"), rows)
    for found in result.findings:
        if not found.holds:
            out.print(f"[red]{found.area.value} differ first here:[/]", end=" ")
            out.print(found.first, soft_wrap=True, markup=False)
        if found.unchecked:
            out.print(f"{found.area.value}, not checked: {found.first_unchecked}", soft_wrap=True, markup=False)
    if result.head is not None:
        out.print(f"head {result.head.seal_hash}", soft_wrap=True)
