"""bpftrace lines that measure on a machine what the model says of it.

Keyed by CPU, not by thread: the softirq interrupts whatever runs, and the idle threads of all CPUs are thread 0. A
callback neither migrates nor nests. fq_flush_timeout() is in drivers/iommu/iova.c of 5.15, dma-iommu.c of 6.x; its
address is taken by timer_setup(), so there is a function to probe.
"""

from __future__ import annotations

CALLBACK = (
    "bpftrace -e 'kprobe:fq_flush_timeout { @start[cpu] = nsecs; }"
    " kretprobe:fq_flush_timeout /@start[cpu]/ { $us = (nsecs - @start[cpu]) / 1000; @callback_us = hist($us);"
    " @longest_us = max($us); @callbacks = count(); delete(@start[cpu]); }'"
)
"""Histogram, longest and number of the callbacks."""

STAY = (
    "bpftrace -e 'tracepoint:irq:softirq_entry /args->vec == 1/ { @entered[cpu] = nsecs; }"
    " tracepoint:irq:softirq_exit /args->vec == 1 && @entered[cpu]/ { $us = (nsecs - @entered[cpu]) / 1000;"
    " @stay_us = hist($us); @longest_stay_us = max($us); delete(@entered[cpu]); }'"
)
"""The same of the stays in the timer softirq (vector 1), which chained callbacks prolong."""
