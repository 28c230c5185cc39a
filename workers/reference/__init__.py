"""The scalar twin: the kernel's IOVA code in plain Python, one operation at a time.

Read ``rbtree`` (lib/rbtree.c), ``iova`` and ``rcache`` (drivers/iommu/iova.c), ``flush_queue`` (dma-iommu.c) and
``kernels`` (what differs between versions) beside the kernel; docs/kernel-in-ten-minutes.md draws them. The same code
runs in two engines: ``replay`` answers recorded operations on one thread; ``clocks`` and ``machine`` run a scenario on
many CPUs in virtual time, by the rules of the project's reference machine, equal to it in every count.
"""
