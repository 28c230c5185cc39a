"""``python -m sweep.workload TRACE``: from what a real machine recorded to a workload of the farm.

``trace.py`` reads the text of iommu:map and iommu:unmap events, ``live.py`` follows IOVAs from map to unmap,
``gaps.py`` finds bursts, ``measure.py`` puts these together block by block, ``estimate.py`` says what load that is
and how sure it is, ``write.py`` writes it as files.
"""
