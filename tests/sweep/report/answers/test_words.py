from __future__ import annotations

from sweep.report.answers.words import count, listed, mib, seconds, share, si


def test_numbers_have_three_digits_at_most() -> None:
    assert [si(value) for value in (3.614, 950, 999.4, 999.6, 1000, 21_934, 999_700, 2.5e6)] == [
        "3.61", "950", "999", "1k", "1k", "21.9k", "1M", "2.5M",
    ]  # fmt: skip


def test_units_and_shares() -> None:
    assert [mib(None), mib(3 << 19), mib(2000 << 20)] == ["–", "1.5", "2,000"]
    assert [seconds(None), seconds(float("inf")), seconds(20.0), seconds(300.0)] == ["–", "never", "20 s", "5 min"]
    assert [share(0, 3), share(1, 3), share(1, 1000), share(999, 1000), share(1, 0)] == [
        "0%",
        "33%",
        "0.1%",
        "99.9%",
        "–",
    ]


def test_what_is_counted() -> None:
    assert [count(1, "pair"), count(1240, "pair")] == ["1 pair", "1,240 pairs"]
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
