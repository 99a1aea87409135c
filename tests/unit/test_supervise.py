"""What the front door asks of those it waits for, and what it says of them."""

from dataclasses import dataclass

from app.cli.supervise import Probe, first_trouble


@dataclass(frozen=True, slots=True)
class Asked(Probe):
    """A probe with its answer, which notes that it was asked."""

    answer: str | None = None
    asked: list[str] | None = None

    def reason(self) -> str | None:
        if self.asked is not None:
            self.asked.append(self.path)
        return self.answer


def test_nobody_is_asked_after_the_first_that_is_not_content():
    asked: list[str] = []
    keeper = Asked(("127.0.0.1", 1), "keeper", "no device is in the layout", asked)
    workers = Asked(("127.0.0.1", 2), "workers", None, asked)
    assert first_trouble([keeper, workers]) == "no device is in the layout"
    assert asked == ["keeper"]


def test_all_are_asked_before_all_are_content():
    asked: list[str] = []
    probes = [Asked(("127.0.0.1", number), str(number), None, asked) for number in (1, 2)]
    assert first_trouble(probes) is None
    assert asked == ["1", "2"]


def test_one_that_gives_no_reason_is_in_the_way_all_the_same():
    assert first_trouble([Asked(("127.0.0.1", 1), "", "")]) == ""
