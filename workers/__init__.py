"""The science: a vectorized numpy model of Linux's IOVA allocator and flush queue.

Pure numpy, and plain Python where one scenario is followed event by event (``workers.events``). Nothing here knows Ray
or Hydra. The farm enters by ``workers.task``, arrays in and arrays out; only ``workers.points``, which reads scenario
tables, and the scalar twin's command line (``workers.reference.__main__``, ``policies``) touch files.
"""

MODEL_VERSION = "14"
"""Part of every result's provenance: raised whenever a change can move a result."""
