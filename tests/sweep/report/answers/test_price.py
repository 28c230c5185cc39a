"""What a policy costs and keeps."""

from __future__ import annotations

import pytest

from sweep.compose import compose
from sweep.report.answers import findings
from sweep.report.answers.loads import by_load
from sweep.report.answers.paired import paired_of
from sweep.report.answers.price import Keeps, keeps, prices
from tests.sweep.frames import result_row
from tests.sweep.report.tables import table


@pytest.fixture(scope="module")
def depots() -> dict[str, dict[str, object]]:
    composed = compose([])
    assert composed is not None
    return {name: dict(keys) for name, keys in composed.library.depot.items()}


def test_what_a_depot_keeps_for_good(depots: dict[str, dict[str, object]]) -> None:
    each, each_127 = 2048 + 128 * 64, 1024 + 127 * 64  # 10,240 and 9,152 bytes
    assert keeps("array", depots["array"], 512) == Keeps(32, 32 * each)
    assert keeps("array_cpus", depots["array_cpus"], 512) == Keeps(512, 512 * each)
    assert keeps("list", depots["list"], 512) == Keeps(512, 512 * each)
    assert keeps("list_127", depots["list_127"], 256) == Keeps(256, 256 * each_127)
    assert keeps("list_untrimmed", depots["list_untrimmed"], 512) == Keeps(None, None)


def test_prices_are_median_and_most_of_what_was_run() -> None:
    rows = [result_row({"in_flight": 64 + i}, memory_peak_bytes=i, depot_reclaim_s=i / 10) for i in range(5)]
    rows.append(result_row({"in_flight": 99}) | {"memory_peak_bytes": None, "status": "failed"})
    found = prices(table(*rows)).row(0, named=True)
    assert (found["policy"], found["cpus"]) == ("array", 8)
    assert (found["memory_peak_bytes_median"], found["memory_peak_bytes_most"]) == (2, 4)
    assert found["depot_reclaim_s_most"] == 0.4


def test_the_price_of_the_patch_in_words() -> None:
    mib = 1 << 20
    rows = [
        result_row({"policy": policy, "cpus": cpus}, memory_peak_bytes=mib * (cpus + (policy == "list") * cpus // 8),
                   iova_space_cached_peak_bytes=cpus * mib * 128, depot_reclaim_s=12.0 * (policy == "list"))
        for policy in ("array", "list") for cpus in (8, 16, 64)
    ]  # fmt: skip
    results = table(*rows)
    assert findings.price(paired_of(results), by_load(results), "array", "list") == [
        "The price: list adds 2 MiB of peak memory at the median and 8 MiB at most (64 CPUs, IOVAs of 1 page); cached"
        " IOVAs hold up to 8 GiB of address space before, 8 GiB after. The fullest depot takes 12 s to trim."
    ]
