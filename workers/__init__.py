"""The science: a vectorized numpy model of Linux's IOVA allocator and flush queue.

Pure numpy, and plain Python where one scenario is followed event by event (``workers.events``). Nothing here knows Ray
or Hydra, and only two entries touch files: ``workers.task`` (the farm's), and the scalar twin's command line,
``workers.reference.__main__`` and ``policies``; both read scenario tables with ``workers.points``.
"""

MODEL_VERSION = "10"
"""Part of every result's provenance: raised whenever a change can move a result."""
