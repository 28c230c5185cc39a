"""The farm: reads a sweep, expands it, runs its scenarios through ``workers``, stores, aggregates and draws.

It runs the model through ``workers.task`` and ``workers.series`` alone; ``workers.points`` and ``workers.tables`` read
and check rows for it. Of the allocator it knows columns (``workers.schema``), what a policy's name stands for
(``policy``), sizes, periods and limits (``mixes``, ``jiffies``, ``results``, ``hazard``), and which scenarios are
followed event by event and which share a run (``delicate``), but not how it works.
"""

__version__ = "0.1.0"

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
"""One thread for each worker: the farm runs a worker on each CPU."""
