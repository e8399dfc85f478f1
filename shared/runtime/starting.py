"""How a door starts: what it loads stays for as long as the process lives, so nobody looks for garbage in it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def starting() -> Iterator[None]:
    """Collect no garbage meanwhile, and never look again at what was loaded: a collection goes through all of it."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
