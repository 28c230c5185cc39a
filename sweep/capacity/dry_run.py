"""``--dry-run``: what a study would take, from its first batch, the store and a short calibration."""

from __future__ import annotations

from sweep.capacity.costs import GROUPS
from sweep.capacity.search import WIDTH
from sweep.capacity.study import Study
from sweep.dry_run import calibrate, to_run
from sweep.execution.task import Simulate
from sweep.lab import Lab
from sweep.plan import TablePlan
from sweep.progress import duration
from sweep.report.answers.words import count
from workers.schema import COST_COLUMNS
from workers.tables import to_columns


def estimate(study: Study, lab: Lab, simulate: Simulate, cpus: int) -> list[str]:
    """Lines of text; ``cpus``: those that would share the work.

    What follows the first batch hangs on its answers: the number said of it is the most.
    """
    first = study.ask()
    plan = TablePlan(to_columns(first), lab.library.depot)
    found = to_run(plan, lab.store, cpus=1)
    later = len(study.lines) * WIDTH + len(study.questions) * (len(COST_COLUMNS) + len(GROUPS))
    said = [
        f"host classes  {len(study.hosts)}",
        f"first batch   {len(first)} runs ({len(first) - found.rows - found.equal} in the store)",
        f"second batch  at most {later} runs, where verdicts change",
    ]
    measured = calibrate(plan, found, simulate)
    if measured is None:
        return [*said, "the first batch is in the store; the second has not been estimated"]
    first_s = found.estimated_s * measured.ratio
    a_run_s = first_s / found.rows
    return [
        *said,
        f"core time     {duration(first_s)} for the first batch, {a_run_s:.2g} s for each run after that;"
        f" at most {duration(first_s + later * a_run_s)}",
        f"wall time     {duration(first_s / cpus)} to {duration((first_s + later * a_run_s) / cpus)}"
        f" on {count(cpus, 'CPU')}",
        f"calibration   {measured.rows} runs in {measured.seconds:.1f} s",
    ]
