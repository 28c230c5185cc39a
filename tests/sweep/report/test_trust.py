from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from unittest import mock

import polars as pl

from sweep.document import Document, Paragraph, Section, Table
from sweep.document.markdown import to_markdown
from sweep.report.agreement import Agreement, agreement
from sweep.report.inputs import Results, complete
from sweep.report.trust import trust
from tests.sweep.frames import frame, result_row
from tests.sweep.report.manifests import manifest
from workers import MODEL_VERSION

MEASURED = Agreement(
    MODEL_VERSION,
    400,
    "python benchmarks/model_agreement.py TRUTH --write",
    (("verdicts equal", "96 %", "95 %", True),),
    (("16 pages", 80, 0.9),),
)


def said(table: pl.DataFrame, measured: Agreement | None = MEASURED, **more: object) -> str:
    with mock.patch("sweep.report.trust.agreement", return_value=None):
        section = trust(Results(complete(table.lazy()), manifest(**more)), measured)
    return to_markdown(Document("d", (), (section,)))


def rows(*cells: str, **more: object) -> pl.DataFrame:
    return frame(*[result_row({}) | {"cell": cell} | more for cell in cells])


def test_cells_are_counted() -> None:
    table = rows("run", "run", "run", "implied", "implied", "unknown", "run")
    failed = pl.Series([False] * 6 + [True])
    table = table.with_columns(
        status=pl.when(failed).then(pl.lit("failed")).otherwise("status"),
        checked=pl.Series([True, False, True, None, None, None, None]),
    )
    text = said(table)
    assert "**43% of the scenarios were run to the end**" in text
    for line in (
        "| run by the model | 4 | 57% |",
        "| implied by their neighbours (verdict alone) | 2 | 29% |",
        "| unknown | 1 | 14% |",
        "| of the run ones, failed | 1 | 14% |",
    ):
        assert line in text
    assert "Of all 7 scenarios, 1 (14%) are outside the range in which the model was compared" in text


def test_a_table_of_an_older_model_does_not_say_what_was_checked() -> None:
    assert "is not recorded" in said(rows("run").drop("checked", strict=False))


def test_agreement_is_of_a_version() -> None:
    text = "400 rows, each a scenario under one policy, were run by the model and by the reference machine"
    assert text in said(rows("run"))
    assert "**Agreement with the reference machine: 1 of 1 target met**" in said(rows("run"))
    assert "| verdicts equal | 96 % | 95 % | yes |" in said(rows("run"))
    assert "| 16 pages | 80 | 90.0% |" in said(rows("run"))
    assert "was version" not in said(rows("run"))
    other = Agreement("0", 400, "c", MEASURED.figures, ())
    assert f"That was version 0 of the model; these results are of version {MODEL_VERSION}" in said(rows("run"), other)
    assert f"was not measured for version {MODEL_VERSION} of the model" in said(rows("run"), None)


def test_what_is_packaged_is_read(tmp_path: Path) -> None:
    packaged = {
        "model_version": "7", "rows": 3, "command": "c",
        "figures": [{"name": "n", "measured": "m", "target": "t", "met": False}],
        "slices": [{"name": "s", "rows": 2, "class_right": 0.5}],
    }  # fmt: skip
    with mock.patch.object(resources, "files", return_value=tmp_path):
        assert agreement() is None
        (tmp_path / "agreement.json").write_text(json.dumps(packaged))
        assert agreement() == Agreement("7", 3, "c", (("n", "m", "t", False),), (("s", 2, 0.5),))


def test_the_audit_of_a_refinement() -> None:
    told = said(rows("run"), refinement={"rounds": 9, "audited": 200, "contradictions": 3})
    assert "9 rounds. As an audit it ran 200 scenarios whose verdict was implied: 3 (2%) came out otherwise" in told
    assert "all came out as implied." in said(rows("run"), refinement={"rounds": 9, "audited": 5, "contradictions": 0})
    assert "no implied verdict was audited" in said(
        rows("run"), refinement={"rounds": 1, "audited": 0, "contradictions": 0}
    )
    assert "refinement" not in said(rows("run"))


def seeded(*seeds: int) -> pl.DataFrame:
    return frame(*[result_row({"seed": seed}) for seed in seeds])


def test_seeds_are_named() -> None:
    """And counted in the table: the manifest names a thousand at most."""
    assert "One seed, 0:" in said(rows("run"))
    assert "Seeds: 3, 5 and 7." in said(seeded(7, 3, 5, 3))
    assert "Seeds: 40 of them." in said(seeded(*range(40)))
    assert "Seeds: 1,001 of them." in said(seeded(*range(1001)), seeds=list(range(1000)))


def test_chance_shows_where_only_the_seed_differs() -> None:
    verdicts = {(8, 1): "ok", (8, 2): "ok", (16, 1): "ok", (16, 2): "chained", (32, 1): "ok"}
    table = frame(*[result_row({"cpus": cpus, "seed": seed}, verdict=v) for (cpus, seed), v in verdicts.items()])
    assert "Of 2 scenarios run with more than one of them, 1 (50%) came to another verdict" in said(table)


def test_cost_as_predicted_and_as_it_came() -> None:
    assert "| seconds of a core in the model | 10 s | 12 s | 1.20 |" in said(rows("run"))
    assert "5 scenarios came from the store" in said(rows("run"), reused=5)
    nothing = {"core_s": 0.0, "wall_s": 0.0, "peak_mib": 0}
    assert "all of it was in the store" in said(rows("run"), predicted=nothing, actual=nothing)


def test_versions_and_the_command() -> None:
    versions = manifest()["versions"] | {"git": "0123456789abcdef+"}
    text = said(rows("run"), versions=versions, command=["python", "-m", "sweep", "grid.cpus=[8, 16]"])
    assert f"Farm 0.1.0, commit 0123456789ab, with changes that are not in it; version {MODEL_VERSION}" in text
    assert "```\npython -m sweep 'grid.cpus=[8, 16]'\n```" in text
    assert "numpy 2.0" in text


def test_it_is_data() -> None:
    section = trust(Results(complete(rows("run").lazy()), manifest()), MEASURED)
    assert isinstance(section, Section)
    assert {Paragraph, Table} <= {type(block) for block in section.blocks}
