"""What is put to the test, and by whom: per module the test files that have to notice a fault in it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """One module and the tests that answer for it."""

    module: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return by what it is asked for: `money`; of a signature the provider's name: `stripe`."""
        *_, folder, last = self.module.split(".")
        return folder if last == "signature" else last

    @property
    def file(self) -> str:
        """Return its source, from the root of the repository."""
        return f"{self.module.replace('.', '/')}.py"


_DOMAIN = {
    "money": ("money",),
    "fold": ("fold", "settle"),
    "settle": ("settle", "held_rows", "fold"),
    "merkle": ("merkle", "seals"),
    "reconciliation": ("reconciliation", "pairing"),
    "times": ("times",),
    "settlements": ("settlements",),
    "seals": ("seals",),
    "completeness": ("completeness",),
    "decisions": ("decisions", "caseload"),
    "totals": ("totals",),
    "manifests": ("manifests",),
}
_SIGNED = ("betterez", "mercadopago", "operator", "statement", "stripe")

TARGETS: tuple[Target, ...] = (
    *(
        Target(f"shared.domain.{name}", tuple(f"tests/domain/test_{each}.py" for each in tests))
        for name, tests in _DOMAIN.items()
    ),
    *(
        Target(module, ("tests/providers/test_signatures.py",))
        for module in (
            "shared.providers.toolkit.hmac_schemes",
            *(f"shared.providers.{provider}.signature" for provider in _SIGNED),
        )
    ),
    Target("shared.bi.certification", ("tests/bi/test_certification.py", "tests/bi/test_models.py")),
)
"""In the order in which they are told. The signature of DummyPay is a name for the scheme of the toolkit: no code."""
