"""First bursts come when the scalar twin's would, for the same seed."""

from __future__ import annotations

from tests.workers.scenarios import table
from workers.phases import uniform_phases
from workers.reference.machine import Machine
from workers.slices import params
from workers.slices.state import initial

USUAL = {"unmap_burst": 2, "in_flight": 5, "burst_period_us": 1e6}
ROWS = [
    USUAL | {"cpus": 1, "seed": 3},
    USUAL | {"cpus": 64, "active_cpus": 37, "seed": 2**40 + 1},
    USUAL | {"cpus": 16, "iova_pages": "1,8", "seed": 7},
    USUAL | {"cpus": 9, "iova_pages": "1:0.7,32:0.2,64:0.1", "in_flight": 11, "seed": 2**63 - 1},
    USUAL | {"cpus": 33, "phase": "aligned", "seed": 0},
    USUAL | {"cpus": 12, "iova_pages": "3,4", "seed": 5},  # both are mapped as 4 pages, and drawn all the same
]


def first_bursts_of_the_twin(scenario: dict) -> list[float]:
    """When each active CPU wakes for its first burst, in ns: a run that ends before any of them."""
    machine = Machine(scenario | {"horizon_s": 1e-9}, scenario)
    machine.run()
    return machine.engine.clock[: scenario["active_cpus"]]


def test_phases_are_the_twins():
    alone = [params.from_columns(table([row])) for row in ROWS]
    together = params.from_columns(table([row for row in ROWS if "iova_pages" not in row]))
    for p, rows in (*((p, [row]) for p, row in zip(alone, ROWS, strict=True)), (together, [ROWS[0], ROWS[1], ROWS[4]])):
        first_ns = initial(p).row_next_ns
        for lane, row in enumerate(rows):
            scenario = {name: values.tolist()[0] for name, values in table([row]).items()}
            assert first_ns[p.row_lane == lane].tolist() == first_bursts_of_the_twin(scenario)
    phases = uniform_phases(together.seed, together.active, together.sizes_drawn)
    assert 0 <= phases.min() < phases.max() < 1
