"""Searches over made-up truths: right, cheap, repeatable, and not fooled by bands, islands and failures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.refine import search as searching
from sweep.refine.lattice import coarse, lattice
from sweep.refine.search import CELLS, Search
from tests.sweep.refine.truths import SHAPE, codes, grid, searched, slope

RUN, IMPLIED, UNKNOWN = range(len(CELLS))


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grid counts as a large one."""
    monkeypatch.setattr(searching, "SMALL_CELLS", 0)


def shares(search: Search, verdict: np.ndarray) -> tuple[float, float]:
    """Share of cells that were run, and share that the answer has wrong."""
    code, cell = search.answer()
    return float((cell == RUN).mean()), float((code != verdict.reshape(-1)).mean())


@pytest.mark.usefixtures("large")
def test_a_sloping_boundary_takes_a_fraction_of_the_work() -> None:
    verdict = codes(slope())
    ran, wrong = shares(searched(slope(), verdict), verdict)
    assert ran < 0.4
    assert wrong < 0.01


@pytest.mark.usefixtures("large")
def test_noise_at_the_boundary_costs_runs_and_not_truth() -> None:
    margin = slope(noise=0.2)
    ran, wrong = shares(searched(margin, codes(margin)), codes(margin))
    assert ran < 0.5
    assert wrong < 0.015


def test_a_small_grid_is_right_in_every_cell() -> None:
    margin = slope()[:2, :, ::2, ::2, ::3]
    verdict = codes(margin)
    ran, wrong = shares(searched(margin, verdict), verdict)
    assert wrong == 0
    assert ran < 0.9


@pytest.mark.usefixtures("large")
def test_a_band_that_only_an_audit_can_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "AUDIT_SHARE", 0.03)
    verdict = np.zeros(SHAPE, int)
    verdict[..., 5] = 2
    assert not coarse(grid().numbers.shape, searching.COARSE_LEVELS[True])[..., 5].any()
    search = searched(np.where(verdict, 3.0, -3.0), verdict)
    ran, wrong = shares(search, verdict)
    assert search.contradictions > 0
    assert search.audits > 1, "an audit that finds the map wrong is not the last one"
    assert wrong < 0.01
    assert ran < 0.6


@pytest.mark.usefixtures("large")
def test_an_island_is_mapped_once_one_of_its_cells_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "AUDIT_SHARE", 0.05)
    verdict = np.zeros(SHAPE, int)
    verdict[1, 1, 1:4, :, 1:4] = 1  # 27 cells
    verdict[1, 1, 4, :, 3:6] = 1  # and 9 that stick out
    search = searched(np.where(verdict, 0.5, -3.0), verdict)
    assert shares(search, verdict)[1] == 0


@settings(max_examples=25)
@given(data=st.data())
def test_whatever_the_truth(data: st.DataObject) -> None:
    """Every cell is run at most once, what was run is answered as it was told, and replayed it is the same."""
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    ordered = data.draw(st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes)))
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    cells = lattice([random.permutation(n) if o else n for n, o in zip(sizes, ordered, strict=True)])
    verdict = random.integers(-1, 3, cells.numbers.size)
    margin = random.normal(size=verdict.size)
    first, again = Search(cells, 7), Search(cells, 7)
    seen: set[int] = set()
    while len(numbers := first.ask()):
        assert not seen & set(numbers.tolist())
        seen |= set(numbers.tolist())
        order = random.permutation(len(numbers))
        assert again.ask().tolist() == numbers.tolist() == first.ask().tolist()
        for search, told in ((first, numbers), (again, numbers[order])):
            search.tell(told, verdict[told], margin[told])
    code, cell = first.answer()
    assert {number for number, said in enumerate(cell) if said == RUN} == seen
    assert (code[cell == RUN] == verdict[cell == RUN]).all()
    assert (code[cell == IMPLIED] >= 0).all()
    assert (code[cell == UNKNOWN] == -1).all()
    assert len(again.ask()) == 0


def test_cells_that_fail_are_not_asked_for_again_and_others_stand_in() -> None:
    margin = slope()[:1, :, ::2, :, ::2]
    verdict = codes(margin)
    verdict[0, 0, 1:4] = -1
    search = searched(margin, verdict)
    code, cell = search.answer()
    assert (code[cell == RUN] == verdict.reshape(-1)[cell == RUN]).all()
    assert (code[cell == IMPLIED] >= 0).all()


def test_where_everything_fails_everything_is_run() -> None:
    verdict = np.full((2, 2, 6, 5), -1)
    code, cell = searched(np.zeros(verdict.shape), verdict).answer()
    assert set(cell) == {RUN}
    assert set(code) == {-1}


@pytest.mark.usefixtures("large")
def test_the_seed_picks_the_audits() -> None:
    verdict = np.zeros(SHAPE, int)
    rounds = []
    for seed in (1, 1, 2):
        search = Search(grid(), seed)
        for _ in range(2):
            numbers = search.ask()
            search.tell(numbers, verdict.reshape(-1)[numbers], np.full(len(numbers), -3.0))
        rounds.append(numbers.tolist())
    assert rounds[0] == rounds[1] != rounds[2]
