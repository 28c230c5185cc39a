"""Follows IOVAs from their maps to their unmap.

A map covers a physically contiguous piece: a scatterlist is mapped piece by piece into one IOVA, which one unmap
covers whole (drivers/iommu/iommu.c, iommu_map_sg(); dma-iommu.c, __iommu_dma_unmap()). So an IOVA is what an unmap
says. The events do not say the domain: where pieces that overlap are mapped at once there are several.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable

import numpy as np

from sweep.workload.trace import Events

SNAPSHOT_EVENTS = 1 << 14
"""How often overlaps of any kind are looked for, or after as many events as pieces are live, if those are more; those
that begin at one address are found at once.
"""

TOGETHER_NS = 100_000
"""Pieces of one IOVA are mapped one after the other, within this time."""


class Live:
    """The pieces mapped now, and what is known of the IOVAs that are no more.

    ``lifetimes_ns``: the sum, over ``matched`` IOVAs, from first map to unmap; ``unknown_ns``: times of unmaps of
    which no map was seen; ``moves``: (CPU of the map, CPU of the unmap) -> IOVAs; ``split``: IOVAs of several pieces;
    ``domains``: the most pieces that covered one address at once.
    """

    def __init__(self) -> None:
        self.pieces: dict[int, tuple[int, int, int]] = {}  # first byte -> time, CPU, bytes, in the order of the maps
        self.below: dict[int, list[tuple[int, int, int]]] = {}  # older ones that begin at the same address
        self.matched = self.lifetimes_ns = self.split = 0
        self.domains = 1
        self.unlooked = 0  # events since overlaps were looked for
        self.unknown_ns = array("q")
        self.moves: Counter[tuple[int, int]] = Counter()

    def add(self, events: Events) -> None:
        """Takes the next events, in the order of their times."""
        for first in range(0, len(events.time_ns), SNAPSHOT_EVENTS):
            some = slice(first, first + SNAPSHOT_EVENTS)
            columns = (events.time_ns, events.cpu, events.unmap, events.iova, events.size_bytes)
            self._follow(zip(*(column[some].tolist() for column in columns), strict=True))
            self.unlooked += SNAPSHOT_EVENTS
            if self.unlooked >= len(self.pieces):
                self.domains, self.unlooked = max(self.domains, self._overlap()), 0

    def _follow(self, events: Iterable[tuple[int, int, bool, int, int]]) -> None:
        pieces, moves = self.pieces, self.moves
        for time, cpu, unmap, iova, size in events:
            if not unmap:
                if iova in pieces:
                    self.below.setdefault(iova, []).append(pieces.pop(iova))
                    self.domains = max(self.domains, len(self.below[iova]) + 1)
                pieces[iova] = (time, cpu, size)
            elif (piece := self._take(iova)) is None:
                self.unknown_ns.append(time)
            else:
                self.matched += 1
                self.lifetimes_ns += time - piece[0]
                moves[piece[1], cpu] += 1
                if 0 < piece[2] < size:
                    self._rest(iova + piece[2], iova + size)

    def _take(self, iova: int) -> tuple[int, int, int] | None:
        """The oldest piece that begins there: IOVAs are mostly unmapped in the order of their maps."""
        if older := self.below.get(iova):
            piece = older.pop(0)
            if not older:
                del self.below[iova]
            return piece
        return self.pieces.pop(iova, None)

    def _rest(self, at: int, end: int) -> None:
        """Takes the further pieces of an IOVA."""
        self.split += 1
        while at < end and (piece := self._take(at)) is not None and piece[2] > 0:
            at += piece[2]

    def _overlap(self) -> int:
        """How many live pieces cover one address, at most."""
        if len(self.pieces) < 2:
            return 1
        spans = [(first, piece[2]) for first, piece in self.pieces.items()]
        spans += [(first, piece[2]) for first, pieces in self.below.items() for piece in pieces]
        starts, sizes = np.array(spans, dtype=np.int64).T
        at = np.concatenate([starts + sizes, starts])  # what ends at an address comes before what begins there
        step = np.repeat([-1, 1], len(starts))
        return int(np.cumsum(step[np.argsort(at, kind="stable")]).max())

    def left(self, end_ns: int) -> tuple[int, int]:
        """IOVAs that are mapped at the end, and the sum of their ages (ns)."""
        every = [*self.pieces.items(), *((at, piece) for at, pieces in self.below.items() for piece in pieces)]
        count = ages_ns = 0
        last: dict[int, tuple[int, int]] = {}  # of each CPU, where its last piece ended and when it was mapped
        for first, (time, cpu, size) in sorted(every, key=lambda item: item[1][0]):
            ended, mapped = last.get(cpu, (-1, 0))
            last[cpu] = (first + size, time)
            if self.split and first == ended and time - mapped <= TOGETHER_NS:
                continue
            count += 1
            ages_ns += end_ns - time
        return count, ages_ns
