"""The highest safe unmap rate of each machine size, IOVA size and policy.

Safe is what does not end in a soft lockup: chained counts as safe, as it does in the map and the closing table, and
is counted beside, as are those that all the same expect a lockup. A rate is safe where every row at it and at every
lower rate of its line is; a row without a verdict (failed, or unknown to a refined sweep) is not taken as safe, an
implied verdict is and is marked.
"""

from __future__ import annotations

import polars as pl

from sweep.config import RATE

LINE = ("policy", "size_order", "size_row", "cell_cpus")
COUNTED = ("chained", "implied", "expecting", "cut")


def safe_rates(loads: pl.DataFrame, line: tuple[str, ...] = LINE) -> pl.DataFrame:
    """A row a line (a policy, a row of IOVA sizes, a CPU count), sorted by ``line``; ``loads``: of ``by_load``.

    Columns: those of ``line``; ``safe_per_s``, null where the lowest rate is not safe; ``stop_per_s``, the first rate
    that is not, null where all are; ``stop`` ("", "locked" or "undecided"); ``top_per_s``, the highest rate there is;
    ``achieved_per_s``, the lowest that an active CPU achieved at the safe rate; ``bands``, the safe ranges above the
    stop as [lowest, highest] rates; of the rows up to the safe rate how many are of each of COUNTED;
    ``memory_peak_bytes``, the most of the line.
    """
    by_rate = (
        loads.group_by(*line, RATE)
        .agg(
            *(pl.col(name).sum() for name in ("locked", "undecided", *COUNTED)),
            pl.col("achieved_per_s").min(),
            pl.col("memory_peak_bytes").max(),
        )
        .sort(*line, RATE)
        .with_columns(safe=(pl.col("locked") == 0) & (pl.col("undecided") == 0))
    )
    below = pl.col("safe").cum_prod().cast(pl.Boolean).over(line)
    lines = (
        by_rate.with_columns(counts=below)
        .group_by(line, maintain_order=True)
        .agg(
            pl.col(RATE).filter("counts").max().alias("safe_per_s"),
            pl.col(RATE).filter(~pl.col("safe")).min().alias("stop_per_s"),
            pl.col("locked").filter(~pl.col("safe")).first().alias("stop_locked"),
            pl.col(RATE).max().alias("top_per_s"),
            pl.col("achieved_per_s").filter("counts").last(),
            *(pl.col(name).filter("counts").sum() for name in COUNTED),
            pl.col("memory_peak_bytes").max(),
        )
    )
    stop = (
        pl.when(pl.col("stop_per_s").is_null()).then(pl.lit(""))
        .when(pl.col("stop_locked") > 0).then(pl.lit("locked"))
        .otherwise(pl.lit("undecided"))
    )  # fmt: skip
    named = lines.with_columns(stop=stop).drop("stop_locked")
    return named.join(_bands(by_rate, line), on=line, how="left", maintain_order="left").with_columns(
        pl.col("bands").fill_null([])
    )


def _bands(by_rate: pl.DataFrame, line: tuple[str, ...]) -> pl.DataFrame:
    """The runs of safe rates of each line that lie above a rate that is not."""
    runs = by_rate.with_columns(run=(~pl.col("safe")).cum_sum().over(line)).filter(pl.col("safe"), pl.col("run") > 0)
    each = runs.group_by(*line, "run").agg(pl.concat_list(pl.col(RATE).min(), pl.col(RATE).max()).alias("band"))
    return each.sort(*line, "run").group_by(line, maintain_order=True).agg(pl.col("band").alias("bands"))
