"""The science: a vectorized numpy model of Linux's IOVA allocator and flush queue.

Pure numpy, and plain Python where one scenario is followed event by event (``workers.events``). Only the entries touch
files: ``workers.task`` (the farm's) and ``workers.reference.__main__`` (the scalar twin's), both with
``workers.points``, which reads scenario tables; nothing here knows Ray or Hydra.
"""

MODEL_VERSION = "6"
"""Part of every result's provenance: raised whenever a change can move a result."""
