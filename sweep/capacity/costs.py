"""Whether a verdict hangs on what the machine's operations cost, and on which of them.

Asked under the tables low, typical and high of conf/host. Where they differ, each cost that differs between the two
tables in question is set to its value in the one that locks up, alone, then each group together. Pure ask and tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from sweep.store.chunk import FAILED
from workers.schema import LOCKED

Costs = Mapping[str, float]

TABLES = ("low", "typical", "high")
GROUPS = {
    "tree": ("rb_visit_ns", "rb_erase_ns", "rb_insert_ns", "iova_slab_ns"),
    "locks": ("lock_local_ns", "lock_remote_ns", "lock_handover_ns"),
    "drain": ("fq_entry_local_ns", "fq_entry_remote_ns", "magazine_slab_ns", "iotlb_flush_ns"),
    "map and unmap": ("map_ns", "unmap_ns"),
}
SAFE, LOCKS, DEPENDS, UNKNOWN = "safe at all costs", "locks up at all", "depends on costs", "unknown, a run failed"


@dataclass(frozen=True)
class CostAnswer:
    """``kind``: SAFE, LOCKS, DEPENDS or UNKNOWN; ``verdicts``: table -> verdict.

    Where it depends: ``between``, the safe table and the one that locks up; ``costs``, the columns that flip the
    safe one's verdict alone; ``groups``, the names of groups that flip it together.
    """

    kind: str
    verdicts: Mapping[str, str]
    between: tuple[str, str] | None = None
    costs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Question:
    """One load under other costs. ``tables``: the cost tables low, typical and high, each column -> ns."""

    def __init__(self, tables: Mapping[str, Costs]) -> None:
        self.tables = tables
        self.verdicts: dict[str, str] = {}

    def ask(self) -> dict[str, Costs]:
        """Label -> all costs of what is to be run next; nothing at the end."""
        wanted = {name: self.tables[name] for name in TABLES}
        if self.between() is not None:
            wanted |= self._flips()
        return {label: costs for label, costs in wanted.items() if label not in self.verdicts}

    def tell(self, label: str, verdict: str) -> None:
        """The verdict of what was asked."""
        self.verdicts[label] = verdict

    def between(self) -> tuple[str, str] | None:
        """The first two neighbouring tables of which one is safe and one locks up: (safe, locks up)."""
        for one, other in pairwise(TABLES):
            pair = [self.verdicts.get(name) for name in (one, other)]
            if None not in pair and FAILED not in pair and pair.count(LOCKED) == 1:
                return (other, one) if pair[0] == LOCKED else (one, other)
        return None

    def answer(self) -> CostAnswer:
        """What was found."""
        verdicts = {name: self.verdicts[name] for name in TABLES}
        locked = [verdict == LOCKED for verdict in verdicts.values()]
        between = self.between()
        if between is not None:
            flipped = [label for label in self._flips() if self.verdicts.get(label) == LOCKED]
            costs = tuple(label for label in flipped if label not in GROUPS)
            return CostAnswer(DEPENDS, verdicts, between, costs, tuple(label for label in flipped if label in GROUPS))
        if FAILED in verdicts.values():
            return CostAnswer(UNKNOWN, verdicts)
        return CostAnswer(LOCKS if all(locked) else SAFE, verdicts)

    def _flips(self) -> dict[str, Costs]:
        between = self.between()
        assert between is not None
        safe, locked = (self.tables[name] for name in between)
        sets = {name: (name,) for name in safe if safe[name] != locked[name]} | GROUPS
        return {label: {**safe, **{name: locked[name] for name in names}} for label, names in sets.items()}
