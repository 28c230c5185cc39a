"""Sizes of IOVAs and how often each is mapped: what an ``iova_pages`` text says.

Source: drivers/iommu/dma-iommu.c (5.15), iommu_dma_alloc_iova(); drivers/iommu/iova.c, free_iova_fast().
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workers.schema import RCACHE_MAX_PAGES, Columns, parse_iova_pages


def rounded_pages(pages: int) -> int:
    """Size an IOVA takes in the rcache and the tree: below 32 pages a power of two (iommu_dma_alloc_iova)."""
    return 1 << (pages - 1).bit_length() if pages < RCACHE_MAX_PAGES else pages


def aligned_pages(pages: int) -> int:
    """Address space an IOVA of ``pages`` occupies."""
    return 1 << (pages - 1).bit_length()


def size_classes(text: str) -> list[tuple[int, float]]:
    """(rounded size in pages, weight) of an ``iova_pages`` text; sizes that round to the same are one class."""
    merged: dict[int, float] = {}
    for size, weight in zip(*parse_iova_pages(text), strict=True):
        merged[rounded_pages(size)] = merged.get(rounded_pages(size), 0.0) + weight
    return sorted(merged.items())


def of_mixes(iova_pages: np.ndarray, value: Callable[[list[tuple[int, float]]], float]) -> np.ndarray:
    """``value`` of each row's ``size_classes``, as numbers of shape (rows,); each distinct text is looked at once."""
    found = {text: value(size_classes(text)) for text in set(iova_pages)}
    return np.array([found[text] for text in iova_pages], float)


def mean_slot_pages(iova_pages: np.ndarray) -> np.ndarray:
    """Address space that an IOVA of each row's mix occupies in the mean, in pages; shape (rows,)."""
    return of_mixes(iova_pages, lambda mix: sum(aligned_pages(size) * weight for size, weight in mix))


def some_bypass(iova_pages: np.ndarray) -> np.ndarray:
    """Whether IOVAs of each row's mix are too large for the rcache and go to the tree one by one; shape (rows,)."""
    return of_mixes(iova_pages, lambda mix: mix[-1][0]) > RCACHE_MAX_PAGES


def all_bypass(iova_pages: np.ndarray) -> np.ndarray:
    """Whether every IOVA of each row's mix is too large for the rcache; shape (rows,)."""
    return of_mixes(iova_pages, lambda mix: mix[0][0]) > RCACHE_MAX_PAGES


def sizes_drawn(scenarios: Columns) -> np.ndarray:
    """Sizes the reference machine draws as it maps what is in flight from the start, int64 of shape (rows,): none of a
    single size; of several, even if they round to one class."""
    several = np.array([len(parse_iova_pages(text)[0]) > 1 for text in scenarios["iova_pages"]], bool)
    return np.where(several, scenarios["in_flight"] * scenarios["active_cpus"], 0).astype(np.int64)
