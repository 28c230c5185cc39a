"""What is mapped on one side of 4 GiB, event by event."""

from __future__ import annotations

from workers.events.iova import CLASS_BITS
from workers.events.side import Side
from workers.events.slots import Slots


def iovas_of(one: Side | Slots) -> list[int]:
    """Ascending, without the top."""
    if isinstance(one, Slots):
        slots = [at for at, used in enumerate(one.used) if used]
        return [one.limit - (at + 1 << one.shift) << CLASS_BITS for at in reversed(slots)]
    return [iova for chunk in one.chunks for iova in chunk.iovas][:-1]
