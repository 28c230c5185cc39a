"""How far to trust a report: what the model was compared with, what was run, what it took and how to repeat it."""

from __future__ import annotations

import shlex
from typing import Any

import polars as pl

from sweep.document import Block, Bullets, Code, Column, Paragraph, Section, Table
from sweep.pairs import distinct, varying
from sweep.refine.search import CELLS, RUN
from sweep.report.agreement import Agreement, agreement
from sweep.report.answers.words import count, listed, seconds, share
from sweep.report.inputs import Results
from sweep.store.chunk import FAILED

TITLE = "How far to trust it"
MOST_SEEDS = 12
"""Named one by one; of more, how many there are."""


def trust(results: Results, measured: Agreement | None = None) -> Section:
    """The section. ``measured``: the agreement with the reference machine, by default the one that is packaged."""
    manifest = results.manifest
    blocks = (
        *_compared(str(manifest["versions"]["model"]), measured or agreement()),
        *_cells(results.table, manifest),
        _seeds(results.table),
        *_cost(manifest),
        _versions(manifest),
        Paragraph("The command that made these results; with the same versions it makes the same table again:"),
        Code(shlex.join(manifest["command"])),
    )
    return Section(TITLE, blocks)


def _compared(version: str, measured: Agreement | None) -> list[Block]:
    """Agreement with the reference machine, which runs the kernel's own code in virtual time."""
    machine = "the reference machine, which runs the kernel's own code in virtual time"
    if measured is None:
        text = f"How well the model agrees with {machine} was not measured for version {version} of the model."
        return [Paragraph(text)]
    text = f"{measured.rows:,} rows, each a scenario under one policy, were run by the model and by {machine}."
    if measured.model_version != version:
        text += (
            f" That was version {measured.model_version} of the model; these results are of version {version}, for"
            " which it was not measured."
        )
    met = sum(ok for *_, ok in measured.figures)
    figures = Table(
        f"Agreement with the reference machine: {met} of {count(len(measured.figures), 'target')} met",
        (Column("figure"), Column("measured", True), Column("wanted", True), Column("met")),
        tuple((name, value, target, "yes" if ok else "no") for name, value, target, ok in measured.figures),
        f"Measured by {measured.command}.",
    )
    slices = Table(
        "Share of rows whose class is right",
        (Column("rows"), Column("how many", True), Column("right", True)),
        tuple((name, f"{rows:,}", f"{right:.1%}") for name, rows, right in measured.slices),
    )
    return [Paragraph(text), figures, *([slices] if measured.slices else [])]


def _cells(table: pl.LazyFrame, manifest: dict[str, Any]) -> list[Block]:
    """Where the verdicts come from."""
    counted = table.select(
        pl.len().alias("all"),
        *((pl.col("cell") == name).sum().alias(name) for name in CELLS),
        (pl.col("status") == FAILED).sum().alias("failed"),
        (~pl.col("checked")).sum().alias("unchecked"),
        pl.col("checked").is_null().all().alias("never checked"),
    )
    found = counted.collect().row(0, named=True)
    every, failed, unchecked = found["all"], found["failed"], found["unchecked"]
    outside = (
        "whether they are inside the range that was compared with the reference machine is not recorded"
        if found["never checked"]
        else f"{unchecked:,} ({share(unchecked, every)}) are outside the range in which the model was compared with the"
        " reference machine and agreed; maps show them striped"
    )
    rows = [(_MEANS[name], f"{found[name]:,}", share(found[name], every)) for name in CELLS]
    rows += [("of the run ones, failed", f"{failed:,}", share(failed, every))]
    columns = (Column("scenarios"), Column("how many", True), Column("share", True))
    title = f"{share(found[RUN] - failed, every)} of the scenarios were run to the end"
    return [
        Table(title, columns, tuple(rows), f"Of all {count(every, 'scenario')}, {outside}."),
        *_audit(manifest.get("refinement")),
    ]


_MEANS = {
    "run": "run by the model",
    "implied": "implied by their neighbours (verdict alone)",
    "unknown": "unknown",
}


def _audit(refinement: dict[str, int] | None) -> list[Block]:
    if refinement is None:
        return []
    audited, wrong = refinement["audited"], refinement["contradictions"]
    if not audited:
        return [Paragraph(f"The refinement took {refinement['rounds']} rounds; no implied verdict was audited.")]
    came = f"{wrong:,} ({share(wrong, audited)}) came out otherwise, and their surroundings were looked into again"
    return [
        Paragraph(
            f"The refinement took {refinement['rounds']} rounds. As an audit it ran {count(audited, 'scenario')} whose"
            f" verdict was implied: {came if wrong else 'all came out as implied'}."
        )
    ]


def _seeds(table: pl.LazyFrame) -> Block:
    """How much chance there is in a verdict."""
    seeds = distinct(table, "seed").to_list()
    if len(seeds) == 1:
        return Paragraph(
            f"One seed, {seeds[0]}: how much chance there is in a verdict shows only a sweep with several"
            " (grid.seed=[0,1,2])."
        )
    named = listed([str(seed) for seed in seeds]) if len(seeds) <= MOST_SEEDS else f"{len(seeds):,} of them"
    content = [name for name in varying(table) if name != "seed"]
    ran = table.filter(cell=RUN).drop_nulls("verdict")
    alike = ran.group_by("policy", *content).agg(pl.len(), pl.n_unique("verdict").alias("verdicts"))
    repeated = alike.filter(pl.col("len") > 1).select(pl.len(), (pl.col("verdicts") > 1).sum()).collect()
    every, differing = repeated.row(0)
    chance = (
        f" Of {count(every, 'scenario')} run with more than one of them, {differing:,} ({share(differing, every)}) came"
        " to another verdict with another seed."
    )
    return Paragraph(f"Seeds: {named}. Verdicts, rates and maps are the worst over them.{chance if every else ''}")


def _cost(manifest: dict[str, Any]) -> list[Block]:
    predicted, actual = manifest.get("predicted"), manifest.get("actual")
    if not predicted or not actual or not actual["core_s"]:
        return [Paragraph("Nothing was run for this report: all of it was in the store.")]
    rows = [
        (name, shown(predicted[key]), shown(actual[key]), _ratio(actual[key], predicted[key]))
        for name, key, shown in (
            ("seconds of a core in the model", "core_s", seconds),
            ("from the first task to the last", "wall_s", seconds),
            ("most memory of a worker, MiB", "peak_mib", lambda value: f"{value:,.0f}"),
        )
    ]
    columns = (Column("cost"), Column("predicted", True), Column("actual", True), Column("actual/predicted", True))
    reused = manifest.get("reused", 0)
    note = "The memory predicted is that of the first chunks."
    note += f" {count(reused, 'scenario')} came from the store and cost nothing." if reused else ""
    name = "What it took, as predicted and as it came"
    return [Table(name, columns, tuple(rows), note)]


def _ratio(actual: float, predicted: float) -> str:
    return f"{actual / predicted:.2f}" if predicted else "–"


def _versions(manifest: dict[str, Any]) -> Block:
    versions, host = manifest["versions"], manifest["host"]
    commit = versions["git"] or ""
    changed = ", with changes that are not in it" if commit.endswith("+") else ""
    source = f", commit {commit.rstrip('+')[:12]}{changed}" if commit else ""
    others = [f"{name} {version}" for name, version in versions.items() if name not in ("farm", "model", "git")]
    return Bullets(
        (
            f"Farm {versions['farm']}{source}; version {versions['model']} of the model.",
            f"With {listed(others)}.",
            f"Started on {host['name']}: {host['cpus']} CPUs, {host['machine']}, {host['system']}.",
        )
    )
