"""Asiento shows what came from outside as text: it colours nothing, moves no cursor and breaks no table."""

from io import StringIO

import pytest
from rich.console import Console

from local import cli, console
from shared.domain.errors import TerminalError

HOSTILE = (
    "[red]sold[/]",
    "[/x]",
    "[link=http://x]y[/link]",
    "\x1b[2J\x1b[H",
    "\x07",
    "\u202egnp.exe",
    "a\rb",
    "\x9b31m",
)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """Return what the terminal is given."""
    stream = StringIO()
    for name in ("out", "err"):
        terminal = Console(file=stream, force_terminal=True, color_system="truecolor", width=100, highlight=False)
        monkeypatch.setattr(console, name, terminal)
    monkeypatch.setattr(cli, "err", console.err)
    return stream


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_is_text(shown: StringIO, text: str) -> None:
    """Asiento writes a provider's words into a table letter for letter, escapes what cannot be printed, and never fails."""
    console.table("Outcomes", ("event", ">deliveries"), [(text, 1_000)])
    told = shown.getvalue()
    assert "1,000" in told
    assert "".join(each if each.isprintable() else repr(each)[1:-1] for each in text) in told
    assert "\x1b[2J" not in told
    assert not set(text) - {"\x1b"} & {"\x07", "\u202e", "\r", "\x9b"} & set(told)


@pytest.mark.parametrize("text", HOSTILE)
def test_an_error_is_a_sentence(shown: StringIO, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento ends with one sentence and a status, whatever stands in the words that it was given."""

    def fail() -> None:
        raise TerminalError(f"there is no view {text}")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "there is no view" in shown.getvalue()
    assert "\x1b[2J" not in shown.getvalue()
