"""Why each mutant that no test notices is there: by module, then by the mutant's name."""

_BRACE = "equivalent: a line begins with a brace, so neither member stands at its first byte"

EXPLAINED: dict[str, dict[str, str]] = {
    "checks.sql": {
        (
            "mart.movement_rule.covers_every_state: build_id = @build_id AND departure_month <> issued_month → bu"
            "ild_id = @build_id"
        ): (
            "what is refused is the same: a ticket whose two months are one is counted twice in the words of the difference"
        ),
    },
    "shared.domain.merkle": {
        "Tree.add: 1 → 2": "equivalent: sizes are only held equal or not, and twice the powers of two are as distinct",
        "is_included: 0 → 1 (4)": "equivalent: the same guard against a place that is never met there, now against another",
        "Tree.add: 2 → 3": "equivalent: sizes are only held equal or not, and powers of three are as distinct as powers of two",
        "is_included: place % 2 == 0 and place != 0 → place % 2 == 0": (
            "equivalent: the loop is entered at the last place of a level, which is not 0 there, and shifting an even number "
            "down to its first odd one never meets 0; the guard is the one of RFC 9162 and stays for who compares"
        ),
    },
    "shared.domain.money": {
        "decimals_of: 8 → 9": "only how much of an unknown currency a message quotes",
        "_decimal: raise UnreadableError(Quarantine.WRONG_TYPE, 'an amount is text that is no number') from None → pass": (
            "same refusal: text that is no number is refused for its type two lines below, in other words"
        ),
    },
    "shared.bi.certification": {
        "Difference.concerns: True → False": "equivalent: both sides of the zip have three parts",
    },
    "shared.domain.seals": {
        "name_and_digest: digest_at < 0 → digest_at <= 0": _BRACE,
        "name_and_digest: 0 → 1": _BRACE,
        "name_and_digest: name_at < 0 → name_at <= 0": _BRACE,
        "name_and_digest: 0 → 1 (2)": _BRACE,
    },
    "shared.domain.settle": {
        "_Settlement._apply: mark is not None and len(mark.contents) > 1 → len(mark.contents) > 1": (
            "equivalent: an event that had no mark has got one two lines above; the condition is for the type checker"
        ),
        "_Settlement._join_facts: 0 → 1": "equivalent: values are kept as variants from the second on: there are always two",
        (
            "_Settlement._join_facts: len(known) > clashing_before.get(name, 0) and FIELDS[fact.key.kind][name].link is None "
            "→ len(known) > clashing_before.get(name, 0)"
        ): "equivalent today: links are LATEST, so no link has variants; the condition is for one that is made FIXED",
    },
    "shared.providers.toolkit.hmac_schemes": {
        "TOLERANCE_S: 300 → 301": (
            "out of reach of an exchange while running: the default of `require_fresh` took its value when the module was "
            "loaded; the window is held to the millisecond by tests/providers/test_signatures.py"
        ),
    },
    "shared.domain.totals": {
        "ShiftSums.add: part.key.kind is EntityKind.REFUND and _was_paid_in_cash(part) → _was_paid_in_cash(part)": (
            "equivalent: only refunds have a `refund_type`, which is what paid in cash is told by"
        ),
    },
}
