"""The science: a vectorized numpy model of Linux's IOVA allocator and flush queue.

Pure numpy. Only ``workers.task`` (the farm's entry) and ``workers.reference.__main__``
(the scalar twin's) touch files; nothing here knows Ray or Hydra.
"""

MODEL_VERSION = "1"
"""Part of every result's provenance: raised whenever a change can move a result."""
