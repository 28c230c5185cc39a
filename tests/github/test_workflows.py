"""The workflow runs a command that there is, with no rights that it does not need."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from sweep.baseline.gate import JUNIT, MARKDOWN
from sweep.compose import compose

FILE = Path(__file__).parents[2] / ".github" / "workflows" / "baseline.yml"
SAID: dict[Any, Any] = yaml.safe_load(FILE.read_text())
(JOB,) = SAID["jobs"].values()


def test_it_may_only_read() -> None:
    assert SAID["permissions"] == {"contents": "read"}
    assert set(SAID[True]) == {"pull_request", "push"}  # YAML 1.1 reads on as true; never pull_request_target
    assert "permissions" not in JOB
    assert "secrets." not in FILE.read_text()
    assert JOB["steps"][0]["with"] == {"persist-credentials": False}
    assert JOB["timeout-minutes"] <= 15


def test_actions_are_pinned_by_commit_and_say_their_version() -> None:
    uses = re.findall(r"uses: (.*)", FILE.read_text())
    assert len(uses) == 3
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", one) for one in uses)


def test_nothing_from_outside_reaches_a_shell() -> None:
    assert not [step for step in JOB["steps"] if "${{" in step.get("run", "")]


def test_it_checks_the_baseline_of_grid_ci_and_keeps_what_that_writes() -> None:
    (command,) = (step["run"] for step in JOB["steps"] if "baseline=check" in step.get("run", ""))
    python, flag, module, *overrides = shlex.split(command)
    assert [python, flag, module] == ["python", "-m", "sweep"]
    composed = compose(overrides)
    assert composed is not None
    config = composed.config
    assert (config.grid.name, config.baseline, config.executor) == ("ci", "check", "ray")
    (kept,) = (step["with"]["path"].split() for step in JOB["steps"] if "upload-artifact" in step.get("uses", ""))
    assert {f"{config.output}/{name}" for name in (MARKDOWN, JUNIT)} <= set(kept)
    (summary,) = (step for step in JOB["steps"] if "GITHUB_STEP_SUMMARY" in step.get("run", ""))
    assert f"{config.output}/{MARKDOWN}" in summary["run"]
    assert summary["if"].startswith("${{ !cancelled()")


def test_it_installs_as_the_readme_does() -> None:
    readme = (FILE.parents[2] / "README.md").read_text()
    (install,) = (step["run"] for step in JOB["steps"] if step.get("name") == "Install")
    for line in install.strip().splitlines():
        assert line.removeprefix("python -m ") in readme
