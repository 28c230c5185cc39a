"""drivers/iommu/dma-iommu.c (5.15: iova.c): the flush queue, its timer's callback, and iommu_dma_alloc_iova()."""

from __future__ import annotations

from collections import deque
from typing import Any

from workers.reference.iova import NO_COSTS, order_base_2
from workers.reference.kernels import Kernel
from workers.reference.locks import NOBODY, RING, Engine, Lock, Steps
from workers.reference.rcache import BIN_PAGES, IovaDomain
from workers.schema import PFNS_BELOW_4G

LIMIT_32BIT = PFNS_BELOW_4G - 1


class Ring:
    """struct iova_fq: (pfn, pages, counter) from head to tail; ``head`` is the slot of the oldest."""

    __slots__ = ("entries", "head", "lock")

    def __init__(self) -> None:
        self.entries: deque[tuple[int, int, int]] = deque()
        self.head = 0
        self.lock = Lock(RING)


class DmaDomain(IovaDomain):
    """struct iommu_dma_cookie of one device's domain."""

    def __init__(
        self,
        kernel: Kernel,
        engine: Engine,
        cpus: int,
        start_pfn: int = 1,
        costs: dict[str, float] = NO_COSTS,
        single_queue: bool = False,
        *,
        pci: bool,
    ) -> None:
        """iommu_dma_init_fq(): a ring a CPU, or one for all (6.12's single queue)."""
        super().__init__(kernel, engine, cpus, start_pfn, costs)
        self.fq_local_ns, self.fq_remote_ns = costs["fq_entry_local_ns"], costs["fq_entry_remote_ns"]
        self.iotlb_flush_ns = costs["iotlb_flush_ns"]
        rings = [Ring() for _ in range(1 if single_queue else cpus)]
        self.rings = rings
        self.ring_of = rings * cpus if single_queue else rings
        self.fq_slots, self.fq_timeout_ms = (32768, 1000) if single_queue else (kernel.fq_slots, kernel.fq_timeout_ms)
        self.flush_start = self.flush_finish = 0
        self.timer_on = False
        self.timer_cpu = NOBODY
        """The CPU that runs fq_flush_timeout() now."""
        self.pci_32bit = pci
        self.flushes = self.drained_locally = self.drained_by_timer = 0

    def iommu_dma_alloc_iova(self, cpu: int, pages: int, limit_pfn: int) -> int | Steps:
        """iommu_dma_alloc_iova(): below 4 GiB first for PCI; the pfn, 0 for none, or the steps that find it."""
        if pages < BIN_PAGES and self.kernel.dma_rounds_size:
            pages = 1 << order_base_2(pages)
        if limit_pfn <= LIMIT_32BIT or not self.pci_32bit:
            return self.alloc_iova_fast(cpu, pages, limit_pfn, True)
        pfn = self.alloc_iova_fast(cpu, pages, LIMIT_32BIT, False)
        if pfn.__class__ is int:
            return pfn  # a miss is never known without steps
        return self._dma_alloc_slow(cpu, pages, limit_pfn, pfn)

    def _dma_alloc_slow(self, cpu: int, pages: int, limit_pfn: int, first_try: Any) -> Steps:
        """The rest of iommu_dma_alloc_iova(): from a miss in the rcache on."""
        pfn = yield from first_try
        if pfn:
            return pfn
        if self.kernel.forgets_32bit:
            self.pci_32bit = False
        again = self.alloc_iova_fast(cpu, pages, limit_pfn, True)
        return again if isinstance(again, int) else (yield from again)

    def queue_iova(self, cpu: int, pfn: int, pages: int) -> Steps:
        """queue_iova(): frees what is flushed, flushes if the ring is full, appends, arms the timer if it is off."""
        ring = self.ring_of[cpu]
        entries, lock = ring.entries, ring.lock
        while not self.acquire(lock, cpu):
            yield
        if entries and entries[0][2] < self.flush_finish:
            yield from self._ring_free(cpu, ring)
        if len(entries) >= self.fq_slots - 1:
            self.flush_iotlb(cpu)
            yield from self._ring_free(cpu, ring)
        entries.append((pfn, pages, self.flush_start))
        self.release(lock, cpu)
        if not self.timer_on:
            self.timer_on = True
            yield from self.engine.arm_timer(cpu, self.fq_timeout_ms)

    def _ring_free(self, cpu: int, ring: Ring) -> Steps:
        """fq_ring_free(): every entry whose counter the last finished flush has passed, into this CPU's rcache."""
        entries = ring.entries
        finished = self.flush_finish
        free_iova_fast, clock = self.free_iova_fast, self.clock
        while entries and entries[0][2] < finished:
            pfn, pages, _ = entries[0]
            if self.timer_cpu == cpu:
                clock[cpu] += self.fq_remote_ns
                self.drained_by_timer += 1
            else:
                clock[cpu] += self.fq_local_ns
                self.drained_locally += 1
            rest = free_iova_fast(cpu, pfn, pages)
            if rest is not None:
                yield from rest
            entries.popleft()
            ring.head += 1

    def flush_iotlb(self, cpu: int) -> None:
        """fq_flush_iotlb(): between the two counters the IOTLB is flushed."""
        self.flush_start += 1
        self.flushes += 1
        self.clock[cpu] += self.iotlb_flush_ns
        self.flush_finish += 1

    def fq_flush_timeout(self, cpu: int) -> Steps:
        """fq_flush_timeout(): one flush, then every possible CPU's ring into the rcache of this one."""
        self.timer_on = False
        self.flush_iotlb(cpu)
        for ring in self.rings:
            while not self.acquire(ring.lock, cpu):
                yield
            if ring.entries:
                yield from self._ring_free(cpu, ring)
            self.release(ring.lock, cpu)
