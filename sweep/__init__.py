"""The farm: reads a sweep, expands it, runs its scenarios through ``workers``, stores, aggregates and draws.

It knows columns (``workers.schema``) and chunks (``workers.task``), and no allocator.
"""

__version__ = "0.1.0"

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
"""One thread for each worker: the farm runs a worker on each CPU."""
