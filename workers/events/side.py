"""IOVAs of one side of 4 GiB in address order, and what fits below each: searches look at bytes, not at neighbours.

They come in chunks, as a list that is not too long is quick to insert into and to search.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from workers.events.iova import CLASS, CLASS_BITS

LARGEST_CHUNK = 1024


class Chunk:
    """Neighbours in ascending order; ``fits``: how many of the size classes, the smallest first, fit below each. Where
    one fits, all smaller ones do."""

    __slots__ = ("fits", "iovas")

    def __init__(self, iovas: list[int], fits: bytearray) -> None:
        self.iovas, self.fits = iovas, fits


class Side:
    """IOVAs from pfn ``floor`` on, below pfn ``limit``; the last one, ``top``, stands for what begins at the limit.

    ``sizes``: pages of each size class, ascending. A place is the number of a chunk and the index in it.
    """

    def __init__(self, sizes: Sequence[int], floor: int, limit: int) -> None:
        self.last_page = [size - 1 for size in sizes]
        self.shapes = [(size, -(1 << (size - 1).bit_length())) for size in sizes]
        """(pages, mask of the alignment) of each class."""
        self.bottom = floor - sizes[0] << CLASS_BITS
        self.top = limit << CLASS_BITS
        self.chunks = [Chunk([self.top], bytearray([self._fitting(self.top, self.bottom)]))]
        self.firsts = [self.top]
        """First IOVA of each chunk."""

    def place(self, iova: int) -> tuple[int, int]:
        """Where ``iova`` is, or the first one above it."""
        c = bisect_right(self.firsts, iova) - 1 if iova >= self.firsts[0] else 0
        return c, bisect_left(self.chunks[c].iovas, iova)

    def take(self, start: int, size_class: int, floor: int) -> tuple[int | None, int, int]:
        """Maps an IOVA of the class at the highest aligned gap from ``start`` down to pfn ``floor``: the new one (None:
        no room), the one above it, and how many were looked at, ``start`` and one below the floor included."""
        c, i, steps = self._search(*self.place(start), size_class, self._stop(size_class, floor))
        if c < 0:
            return None, start, steps
        above = self.chunks[c].iovas[i]
        return self._insert_below(c, i, size_class), above, steps

    def extend(self, size_classes: bytearray, floor: int) -> list[int]:
        """Maps IOVAs of one class after the other, each right below the one before, the first below the lowest, up to
        the first that would begin below pfn ``floor``: the new ones."""
        new, shapes, at = [], self.shapes, self.lowest >> CLASS_BITS
        for size_class in size_classes:
            size, mask = shapes[size_class]
            at = at - size & mask
            if at < floor:
                break
            new.append(at << CLASS_BITS | size_class)
        if new:
            self._put_below(np.array(new[::-1]))
        return new

    def _put_below(self, new: np.ndarray) -> None:
        """Adds IOVAs in ascending order, all below the lowest."""
        chunk, half = self.chunks[0], LARGEST_CHUNK // 2
        chunk.fits[0] = self._fitting(chunk.iovas[0], int(new[-1]))
        below = np.append(self.bottom, new[:-1])
        last_page = (below >> CLASS_BITS) + np.array(self.last_page)[below & CLASS]
        fit, fits = np.ones(len(new), bool), np.zeros(len(new), np.uint8)
        for size, mask in self.shapes:
            fit &= ((new >> CLASS_BITS) - size & mask) > last_page
            fits += fit
        more = [(new[i : i + half].tolist(), bytearray(fits[i : i + half])) for i in range(0, len(new), half)]
        self.chunks = [*(Chunk(*each) for each in more), *self.chunks]
        self.firsts = [*(iovas[0] for iovas, _ in more), *self.firsts]

    @property
    def lowest(self) -> int:
        """The lowest IOVA, the top if there is none."""
        return self.firsts[0]

    def rank(self, iova: int) -> int:
        """How many IOVAs are below it."""
        c, i = self.place(iova)
        return sum(len(chunk.iovas) for chunk in self.chunks[:c]) + i

    def _stop(self, size_class: int, floor: int) -> int:
        """IOVAs below this have no room for the class below them at pfn ``floor`` or above, whatever is there."""
        size, mask = self.shapes[size_class]
        return size - (-floor & mask) << CLASS_BITS

    def _search(self, c: int, i: int, size_class: int, stop: int) -> tuple[int, int, int]:
        """From place (c, i) down to the first IOVA with room for the class below: its place, and how many were looked
        at. Chunk -1: one below ``stop`` was reached."""
        chunks, firsts, classes = self.chunks, self.firsts, len(self.shapes)
        if chunks[c].fits[i] > size_class and chunks[c].iovas[i] >= stop:
            return c, i, 1
        steps = 1
        while c >= 0:
            fits = chunks[c].fits
            low = 0 if firsts[c] >= stop else bisect_left(chunks[c].iovas, stop)
            at = fits.rfind(size_class + 1, low, i + 1)
            for fitting in range(size_class + 2, classes + 1):
                at = max(at, fits.rfind(fitting, low, i + 1))
            if at >= 0:
                return c, at, steps + i - at
            if low:
                return -1, 0, steps + max(i + 1 - low, 0)
            steps += i + 1
            c -= 1
            i = len(chunks[c].iovas) - 1
        return -1, 0, steps

    def _insert_below(self, c: int, i: int, size_class: int) -> int:
        """Puts an IOVA of the class right below the one at place (c, i), where it fits; the new one."""
        size, mask = self.shapes[size_class]
        chunk = self.chunks[c]
        iovas, fits = chunk.iovas, chunk.fits
        above = iovas[i]
        new = ((above >> CLASS_BITS) - size & mask) << CLASS_BITS | size_class
        fits[i] = self._fitting(above, new) if size_class else 0  # what fits there again is smaller
        fits.insert(i, self._fitting(new, iovas[i - 1] if i else self._below(c)))
        iovas.insert(i, new)
        if not i:
            self.firsts[c] = new
        if len(iovas) > LARGEST_CHUNK:
            self._split(c)
        return new

    def remove(self, iova: int) -> int:
        """Takes ``iova`` out; the one above it."""
        c, i = self.place(iova)
        chunk = self.chunks[c]
        below = chunk.iovas[i - 1] if i else self._below(c)
        del chunk.iovas[i], chunk.fits[i]
        if not chunk.iovas:
            del self.chunks[c], self.firsts[c]
            i = 0
        elif i == len(chunk.iovas):
            c, i = c + 1, 0
        elif not i:
            self.firsts[c] = chunk.iovas[0]
        chunk = self.chunks[c]
        above = chunk.iovas[i]
        chunk.fits[i] = self._fitting(above, below)
        return above

    def _below(self, c: int) -> int:
        """The IOVA below chunk ``c``."""
        return self.chunks[c - 1].iovas[-1] if c else self.bottom

    def _fitting(self, above: int, below: int) -> int:
        """How many size classes fit between two neighbours."""
        lo, hi = above >> CLASS_BITS, (below >> CLASS_BITS) + self.last_page[below & CLASS]
        number = 0
        for size, mask in self.shapes:
            if lo - size & mask <= hi:
                break
            number += 1
        return number

    def _split(self, c: int) -> None:
        """Makes the upper half of chunk ``c`` one of its own."""
        chunk, half = self.chunks[c], len(self.chunks[c].iovas) // 2
        self.chunks.insert(c + 1, Chunk(chunk.iovas[half:], chunk.fits[half:]))
        self.firsts.insert(c + 1, chunk.iovas[half])
        del chunk.iovas[half:], chunk.fits[half:]
