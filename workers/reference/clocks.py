"""Virtual time: every CPU has its own clock, and the order of events is that of the clocks.

The rules are those of the reference machine (docs/virtual-time.md). A CPU that has to wait, or finds a
lower clock when it must give way, goes to a lock's queue or the heap and yields; the CPU with the
lowest clock goes on. Ties are settled by the binary heap, so the order is a rule, not an accident.
"""

from __future__ import annotations

from collections.abc import Callable

from workers.reference.locks import NOBODY, RBTREE, Lock, Steps, msecs_to_jiffies
from workers.schema import RCACHE_BINS


class HorizonReached(Exception):
    """The lowest clock is at the horizon: the run is over."""


class VirtualTime:
    """An Engine of ``cpus`` CPUs and, as the last clock, the worker that runs the depot work.

    Times in ns. Fields that count are public: the run reads them off at the end.
    """

    def __init__(self, cpus: int, hz: int, costs: dict[str, float], work_delay_ms: float) -> None:
        self.cpus, self.worker = cpus, cpus
        self.hz, self.tick_ns = hz, 1e9 / hz
        self.local_ns, self.remote_ns = costs["lock_local_ns"], costs["lock_remote_ns"]
        self.handover_ns = costs["lock_handover_ns"]
        self.work_delay_ns = msecs_to_jiffies(work_delay_ms, hz) * self.tick_ns
        self.horizon_ns = float("inf")
        self.clock = [0.0] * (cpus + 1)
        self.heap: list[int] = []
        self.gave_way = [False] * (cpus + 1)
        self.queued = [False] * (cpus + 1)
        self.asked_at = [0.0] * (cpus + 1)
        self.irq_depth = [0] * (cpus + 1)
        self.irqs_off_since = [0.0] * (cpus + 1)

        self.timer_cpu, self.timer_expires = NOBODY, 0
        """The CPU whose timer is pending, and the jiffy it is due."""
        self.running_cpu = NOBODY
        self.work_due = [0.0] * RCACHE_BINS
        self.work_pending = [False] * RCACHE_BINS
        self.worker_idle = True
        self.reset_counters()

    def reset_counters(self) -> None:
        """Clocks and counters begin at 0 (who held a lock last stays known)."""
        self.clock[:] = [0.0] * len(self.clock)
        self.acquired = [0, 0, 0, 0]
        self.irqs_off_max_ns = self.rbtree_held_ns = self.rbtree_wait_ns = self.rbtree_wait_max_ns = 0.0

    # --- order ---

    def give_way(self, cpu: int) -> bool:
        """True, and ``cpu`` is on the heap, if another CPU's clock is lower: the caller yields."""
        heap = self.heap
        if heap and self.clock[heap[0]] < self.clock[cpu]:
            self.push(cpu)
            return True
        return False

    def check_horizon(self, cpu: int) -> None:
        """Ends the run: called with the lowest clock."""
        if self.clock[cpu] >= self.horizon_ns:
            raise HorizonReached

    def push(self, cpu: int) -> None:
        """Puts a CPU that can go on into the heap."""
        heap, clock = self.heap, self.clock
        mine = clock[cpu]
        hole = len(heap)
        heap.append(cpu)
        while hole:
            above = (hole - 1) >> 1
            if clock[heap[above]] <= mine:
                break
            heap[hole] = heap[above]
            hole = above
        heap[hole] = cpu

    def pop(self) -> int:
        """Takes the CPU with the lowest clock; IndexError if none can go on."""
        heap, clock = self.heap, self.clock
        last = heap.pop()
        size = len(heap)
        if not size:
            return last
        first = heap[0]
        mine = clock[last]
        hole, child = 0, 1
        while child < size:
            lowest = clock[heap[child]]
            if child + 1 < size:
                right = clock[heap[child + 1]]
                if right < lowest:
                    lowest = right
                    child += 1
            if lowest >= mine:
                break
            heap[hole] = heap[child]
            hole = child
            child = 2 * hole + 1
        heap[hole] = last
        return first

    def run(self, tasks: Callable[[int], Steps], first: int) -> int:
        """Runs ``tasks`` (a CPU's is made when it first runs) from ``first`` to the horizon; the CPU that got there."""
        started: dict[int, Steps] = {}
        cpu = first
        try:
            while True:
                steps = started.get(cpu)
                if steps is None:
                    steps = started[cpu] = tasks(cpu)
                next(steps)
                if not self.heap:
                    return cpu
                cpu = self.pop()
        except HorizonReached:
            return cpu

    # --- locks ---

    def acquire(self, lock: Lock, cpu: int) -> bool:
        """spin_lock(): gives way first, then takes the lock or queues for it."""
        clock = self.clock
        if self.queued[cpu]:  # release() made this CPU the owner
            self.queued[cpu] = False
            return True
        if self.gave_way[cpu]:
            self.gave_way[cpu] = False
        else:
            if not self.irq_depth[cpu]:
                self.irqs_off_since[cpu] = clock[cpu]
            self.irq_depth[cpu] += 1
            heap = self.heap
            if heap and clock[heap[0]] < clock[cpu]:
                self.gave_way[cpu] = True
                self.push(cpu)
                return False
        now = clock[cpu]
        if now >= self.horizon_ns:
            raise HorizonReached
        self.asked_at[cpu] = now
        if lock.owner >= 0:
            self.queued[cpu] = True
            lock.waiters.append(cpu)
            return False
        if lock.free_at > now:
            clock[cpu] = lock.free_at + self.handover_ns
        else:
            clock[cpu] = now + (self.local_ns if lock.last == cpu else self.remote_ns)
        self._own(lock, cpu)
        return True

    def _own(self, lock: Lock, cpu: int) -> None:
        now = self.clock[cpu]
        lock.owner = lock.last = cpu
        lock.taken_at = now
        self.acquired[lock.kind] += 1
        if lock.kind == RBTREE:
            wait = now - self.asked_at[cpu]
            self.rbtree_wait_ns += wait
            if wait > self.rbtree_wait_max_ns:
                self.rbtree_wait_max_ns = wait

    def release(self, lock: Lock, cpu: int) -> None:
        """spin_unlock(): to the first in the queue, if any."""
        now = self.clock[cpu]
        self.irqs_on(cpu)
        if lock.kind == RBTREE:
            self.rbtree_held_ns += now - lock.taken_at
        lock.free_at = now
        lock.owner = NOBODY
        if lock.waiters:
            heir = lock.waiters.popleft()
            self.clock[heir] = max(self.clock[heir], now + self.handover_ns)
            self._own(lock, heir)
            self.push(heir)

    def irqs_off(self, cpu: int, since: float) -> None:
        """Interrupts are off from ``since`` on, if they were not already."""
        if not self.irq_depth[cpu]:
            self.irqs_off_since[cpu] = since
        self.irq_depth[cpu] += 1

    def irqs_on(self, cpu: int) -> None:
        """Ends the span if this was the outermost lock."""
        self.irq_depth[cpu] -= 1
        if not self.irq_depth[cpu]:
            span = self.clock[cpu] - self.irqs_off_since[cpu]
            if span > self.irqs_off_max_ns:
                self.irqs_off_max_ns = span

    # --- timer and worker ---

    def arm_timer(self, cpu: int, timeout_ms: int) -> Steps:
        """mod_timer(): due at jiffies + timeout + 1; while its callback runs it stays on that CPU."""
        expires = int(self.clock[cpu] / self.tick_ns) + msecs_to_jiffies(timeout_ms, self.hz)
        if self.give_way(cpu):
            yield
        self.check_horizon(cpu)
        self.timer_cpu = cpu if self.running_cpu == NOBODY else self.running_cpu
        self.timer_expires = expires + 1

    def timer_due(self, cpu: int) -> bool:
        """Whether ``cpu`` must run the flush timer now."""
        return self.timer_cpu == cpu and self.clock[cpu] >= self.timer_expires * self.tick_ns

    def schedule_work(self, size_bin: int, cpu: int) -> None:
        """schedule_delayed_work(): wakes the worker, who sleeps until the first work is due."""
        if self.work_pending[size_bin]:
            return
        self.work_pending[size_bin] = True
        self.work_due[size_bin] = due = self.clock[cpu] + self.work_delay_ns
        if self.worker_idle:
            self.worker_idle = False
            self.clock[self.worker] = max(self.clock[self.worker], due)
            self.push(self.worker)

    def work_loop(self, work: Callable[[int, int], Steps]) -> Steps:
        """The worker: ``work(cpu, bin)`` of the earliest pending bin, over and over."""
        worker, clock = self.worker, self.clock
        while True:
            pending = [b for b in range(RCACHE_BINS) if self.work_pending[b]]
            if not pending:
                self.worker_idle = True
                yield
                continue
            earliest = min(pending, key=self.work_due.__getitem__)
            if clock[worker] < self.work_due[earliest]:
                clock[worker] = self.work_due[earliest]
                if self.give_way(worker):
                    yield
                self.check_horizon(worker)
            self.work_pending[earliest] = False
            yield from work(worker, earliest)
