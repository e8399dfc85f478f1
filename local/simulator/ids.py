"""Identifiers as each provider mints them, all drawn from one seeded source."""

from random import Random

_HUMAN = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Ids:
    """Mints identifiers. Two of a kind never meet: each carries a running number or enough random bits."""

    def __init__(self, rng: Random) -> None:
        """Draw from `rng`; the same source in the same state mints the same identifiers."""
        self._rng = rng
        self._count = 0
        self._human = 32**6 // 7

    def record(self, instant_ms: int) -> str:
        """Return a record id of the platform: 24 hex digits, seconds first."""
        self._count += 1
        return f"{instant_ms // 1000:08x}{self._rng.getrandbits(40):010x}{self._count:06x}"

    def uuid(self) -> str:
        """Return a random (version 4) UUID."""
        return uuid_text(self._rng.getrandbits(128))

    def human(self, length: int) -> str:
        """Return an upper-case number that people can read to each other, never the same twice."""
        self._human += 1
        # A multiplication that is coprime to the size scatters running numbers without repeating one.
        size = 32**length
        number = self._human * 0x9E3779B1 % size
        letters = []
        for _ in range(length):
            number, digit = divmod(number, 32)
            letters.append(_HUMAN[digit])
        return "".join(letters)

    def stripe(self, prefix: str) -> str:
        """Return a Stripe id such as `ch_3a0f…`."""
        self._count += 1
        return f"{prefix}_{self._rng.getrandbits(64):016x}{self._count:08x}"

    def number(self, base: int) -> int:
        """Return a running number with gaps, at or above `base`: how Mercado Pago numbers things."""
        self._count += 1
        return base + self._count * 97 + self._rng.randrange(97)


def uuid_text(bits: int) -> str:
    """Return 128 bits as the text of a version 4 UUID."""
    digits = f"{bits:032x}"
    return (
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{'89ab'[int(digits[16], 16) & 3]}{digits[17:20]}-{digits[20:]}"
    )
