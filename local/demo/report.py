"""What a person sees at the end of the demonstration: what happened, what is certified, one traced number, the proofs."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.text import Text

from local.console import harmless, out, show_proofs, show_trace, table
from local.demo.season import SeasonStory
from shared.domain.money import Money
from shared.domain.outcomes import Outcome
from shared.runtime.jobs import rebuild_document


def proofs(story: SeasonStory) -> Iterator[tuple[bool, str]]:
    """Yield what must hold, each with whether it does."""
    yield from proofs_of_one_run(story)
    yield (
        bool(story.hash) and story.hash == story.clean_hash,
        f"the state hash equals that of a clean run in order: {story.hash[:16]}…",
    )


def proofs_of_one_run(story: SeasonStory) -> Iterator[tuple[bool, str]]:
    """Yield what must hold of a season in itself, with no other run beside it."""
    planned, answered = story.planned, story.answered
    genuine = planned["unique"] + planned["duplicated"]
    yield (
        answered.accepted == genuine == story.kept["webhook"],
        f"every signed webhook was kept before it was acknowledged: {story.kept['webhook']:,} of {genuine:,}",
    )
    yield (
        story.rejected == planned["forged"],
        f"every forged request stayed outside: {story.rejected:,} of {planned['forged']:,}",
    )
    ended = sum(story.outcomes.values())
    yield (
        ended == story.kept.total() and not story.outcomes.get(Outcome.FAILED),
        f"every kept delivery has an outcome, none failed: {ended:,} of {story.kept.total():,}",
    )
    yield (
        story.differences_open == 0 and not story.failed_runs,
        f"every gap is closed: {story.differences_opened:,} differences found, fetched and compared again",
    )
    rebuilt = story.rebuilt
    yield (
        rebuilt is not None and bool(rebuilt.certified) and not rebuilt.refused,
        "every closed month agrees to the cent with the second derivation from the raw bytes",
    )
    yield (
        bool(story.figures) and all(line.agrees for line in story.figures),
        "the certified figures equal the company's own books to the cent",
    )
    yield (
        story.matched.is_as_intended,
        f"payments found their sales without a person: {story.matched} of {story.matched.payments:,}",
    )
    yield (
        story.traced is not None and story.traced.is_proved,
        "one number was traced to its bytes, and their signatures hold",
    )


def show(story: SeasonStory) -> bool:
    """Show the story and return whether every proof holds."""
    show_events(story)
    holds = show_proofs(proofs(story))
    show_seconds(story)
    return holds


def show_events(story: SeasonStory) -> None:
    """Show what happened, what is certified, and the traced number."""
    _show_journey(story)
    _show_months(story)
    _show_figures(story)
    if story.traced is not None:
        out.print()
        show_trace(story.traced)
    out.print()
    for failed in story.failed_runs:
        out.print("[red]failed run[/]", harmless(failed))


def show_seconds(story: SeasonStory) -> None:
    """Show the seed and what took how long."""
    spent = ", ".join(f"{name} {seconds} s" for name, seconds in story.seconds.items())
    out.print(f"\nseed {story.seed}, {sum(story.seconds.values())} s in all ({spent})", style="dim")


def document(story: SeasonStory) -> dict[str, Any]:
    """Return the story for scripts."""
    return {
        "seed": story.seed,
        "sales": story.sales,
        "planned": dict(story.planned),
        "answered": {str(status): count for status, count in sorted(story.answered.by_status.items())},
        "kept": dict(story.kept),
        "rejected": story.rejected,
        "outcomes": {outcome.value: count for outcome, count in story.outcomes.items()},
        "differences": {"opened": story.differences_opened, "open": story.differences_open},
        "rebuilt": rebuild_document(story.rebuilt) if story.rebuilt else None,
        "figures": [line._asdict() for line in story.figures],
        "matched": {**asdict(story.matched), "ppm": story.matched.ppm},
        "traced": asdict(story.traced) if story.traced else None,
        "state_hash": story.hash,
        "clean_state_hash": story.clean_hash,
        "seconds": story.seconds,
        "proofs": [{"holds": is_so, "says": sentence} for is_so, sentence in proofs(story)],
    }


def _show_journey(story: SeasonStory) -> None:
    planned = story.planned
    table(
        f"A season of {story.sales:,} sales",
        ("", ">events", "what became of them"),
        (
            ("happened", planned["events"], "what ticketing platform and payment processors had to tell"),
            ("lost on the way", planned["lost"], "never sent: found missing and fetched, or said by what came later"),
            ("sent once", planned["unique"], f"{planned['reordered']:,} of them out of order"),
            (
                "sent again",
                planned["duplicated"],
                f"{story.outcomes.get(Outcome.DUPLICATE, 0):,} deliveries were duplicates",
            ),
            ("forged", planned["forged"], f"{story.rejected:,} refused at the door and kept apart"),
            ("kept", story.kept["webhook"], "webhooks, byte for byte"),
            ("fetched", story.kept["fetch"], "answers of the providers' APIs: thin events and recoveries"),
        ),
    )


def _show_months(story: SeasonStory) -> None:
    if story.rebuilt is None:
        return
    judged = sorted((*story.rebuilt.certified, *story.rebuilt.refused), key=lambda each: each.grain)
    table(
        "Months",
        ("month", "business unit", ">captured", ">fares earned", "state"),
        (
            (
                each.grain.month,
                each.grain.business_unit,
                Money(each.grain.currency, each.figure("payments_captured").ledger_minor),
                Money(each.grain.currency, each.figure("fares_earned").ledger_minor),
                "certified" if each.passed else f"refused: {each.differences[0].text}",
            )
            for each in judged
        ),
    )


def _show_figures(story: SeasonStory) -> None:
    table(
        "The company's own books beside what is certified",
        ("figure", ">books", ">certified", ">books, ARS", ">certified, ARS", ""),
        (
            (
                line.name,
                line.books_count,
                line.certified_count,
                str(Money("ARS", line.books_minor)).removeprefix("ARS "),
                str(Money("ARS", line.certified_minor)).removeprefix("ARS "),
                "equal" if line.agrees else Text("differs", style="red"),
            )
            for line in story.figures
        ),
    )
