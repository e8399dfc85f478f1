"""How a door starts: what it loads stays for as long as the process lives, so nobody looks for garbage in it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS_MAX = 5_000
"""How many new objects may stand before garbage is looked for. By itself the interpreter looks after 700: of a few requests that
are being answered at once, none of which is garbage. What a webhook leaves goes with it and waits for no collection."""


@contextmanager
def starting() -> Iterator[None]:
    """Collect no garbage meanwhile, never look again at what was loaded, and look less often at what comes.

    A collection goes through all that it looks at.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(NEW_OBJECTS_MAX)
        gc.enable()
