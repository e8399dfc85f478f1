"""Two Parquet files compared by datacompy on polars or on pandas, or by data-diff: every difference is found and counted."""

import json
import sys
from collections.abc import Callable

from benchmarks.peers.probe import tell, timed_ns, versions

KEY = "id"


def _by_polars(provider: str, ledger: str) -> int:
    import datacompy  # noqa: PLC0415  each peer of this file has an environment in which the others are not
    import polars as pl  # noqa: PLC0415  same

    compared = datacompy.PolarsCompare(pl.read_parquet(provider), pl.read_parquet(ledger), join_columns=KEY)
    return len(compared.df1_unq_rows) + len(compared.df2_unq_rows) + len(compared.all_mismatch())


def _by_pandas(provider: str, ledger: str) -> int:
    import datacompy  # noqa: PLC0415  same
    import pandas as pd  # noqa: PLC0415  same

    compared = datacompy.PandasCompare(pd.read_parquet(provider), pd.read_parquet(ledger), join_columns=KEY)
    return len(compared.df1_unq_rows) + len(compared.df2_unq_rows) + len(compared.all_mismatch())


PEERS: dict[str, tuple[Callable[[str, str], int], tuple[str, ...]]] = {
    "polars": (_by_polars, ("datacompy", "polars")),
    "pandas": (_by_pandas, ("datacompy", "pandas")),
}


def main() -> None:
    """Compare once and tell how long it took, without imports."""
    peer, provider, ledger = json.loads(sys.argv[1])
    work, packages = PEERS[peer]
    for package in packages:
        __import__(package)
    found: list[int] = []
    elapsed_ns = timed_ns(lambda: found.append(work(provider, ledger)))
    tell(0, elapsed_ns, differences=found[0], versions=versions(*packages))


if __name__ == "__main__":
    main()
