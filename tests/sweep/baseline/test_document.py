"""The comparison as Markdown."""

from __future__ import annotations

from sweep.baseline.compare import compare
from sweep.baseline.document import document
from sweep.document.markdown import to_markdown
from tests.sweep.baseline.tables import baseline, cell

WAS = baseline(cell(3000), cell(3000, cpus=8), cell(3000, cpus=4))
GOLDEN = """# Against the baseline

baseline ci: 1 of 2 lines moved, 1 for the worse; 1 line is new; 1 line is gone.

A line is everything of a scenario but its rate. If what moved is meant, record it:

```
python -m sweep +grid=ci baseline=update
```

## What else differs

- the model's version is 2, was 1

## What moved

**Lines that moved, the worst first**

| line | | what moved | why it matters |
|-|-|-|-|
| list, 16 pages, 128 CPUs | worse | no lockup | no |
"""


def test_all_of_it_in_markdown() -> None:
    now = baseline(cell(3000, 20), cell(3000, cpus=8), cell(3000, cpus=2), model_version="2")
    said = to_markdown(document(compare(WAS, now), "python -m sweep +grid=ci baseline=update"))
    assert said.split("| line")[0] == GOLDEN.split("| line")[0]
    (row,) = (line for line in said.splitlines() if line.startswith("| list"))
    assert row == (
        "| list, 16 pages, 128 CPUs | worse | chains already at 3k unmaps/s, was not up to 3k | with 5.15 with both"
        " patches the flush timer no longer lets go of its CPU in time at all loads of this line |"
    )
    assert said.endswith(
        "## Not in the baseline\n\n- list, 16 pages, 2 CPUs\n\n## In the baseline only\n\n- list, 16 pages, 4 CPUs\n"
    )


def test_where_nothing_moved_it_says_so() -> None:
    said = to_markdown(document(compare(WAS, WAS), "never shown"))
    assert said == "# Against the baseline\n\nbaseline ci: nothing moved on 3 lines.\n"
