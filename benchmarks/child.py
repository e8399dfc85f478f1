"""`python -m benchmarks.child module:function arguments`: one measure in this process, told on its last line."""

import json
import sys
from importlib import import_module

from benchmarks.peers.probe import tell


def main() -> None:
    """Call what the command line names; it returns a Sample."""
    target, arguments = sys.argv[1:]
    module, _, function = target.partition(":")
    sample = getattr(import_module(module), function)(*json.loads(arguments))
    tell(sample.items, sample.elapsed_ns, **sample.more)


if __name__ == "__main__":
    main()
