"""The real door on a slow disk: every group that it writes takes FLUSH_DELAY_MS longer, as on a network disk."""

import os
import runpy
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from shared.pipeline import group_writer

MAIN = Path(__file__).resolve().parents[2] / "functions" / "receive" / "main.py"
DELAY_S = int(os.environ["FLUSH_DELAY_MS"]) / 1000
START = group_writer.GroupWriter.__init__


def start(writer: Any, write: Callable[[Sequence[Any]], Sequence[Any]], *arguments: Any, **named: Any) -> None:
    """Start a group writer whose writes take longer."""

    def slowly(items: Sequence[Any]) -> Sequence[Any]:
        time.sleep(DELAY_S)
        return write(items)

    START(writer, slowly, *arguments, **named)


setattr(group_writer.GroupWriter, "__init__", start)  # noqa: B010  no setting of Asiento slows it down; this does
receive = runpy.run_path(str(MAIN))["receive"]
