"""The benchmarks measure nothing twice, and the report names everything that is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench import __main__ as bench_main
from bench import aims, machine, plots, report
from bench.clients import Refused
from bench.experiments import EVERYBODY, Experiment, all_experiments
from bench.results import Results, show
from bench.servers import Missing


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Empty results, with a description of the machine."""
    about = {**machine.description(), "load_before": 0.1}
    (tmp_path / "machine.txt").write_text(json.dumps(about))
    return reopened(tmp_path)


def reopened(folder: Path, fresh: bool = False) -> Results:
    """The results as the next run sees them."""
    return Results(folder, fresh, lambda _line: None)


def put(results: Results, experiment: str, numbers: Mapping[str, Mapping[str, float]]) -> None:
    """Stores one run of each subject."""
    for subject, values in numbers.items():
        results.once(experiment, subject, 0, lambda values=values: values)  # type: ignore[misc]


def rows(text: str) -> dict[str, list[str]]:
    """First cell of each table row -> the other cells."""
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in cells}


def test_what_was_measured_is_not_measured_again(results: Results) -> None:
    put(results, "memory", {"Nchan": {"bytes_per_connection": 1.0}})
    put(reopened(results.folder), "memory", {"Nchan": {"bytes_per_connection": 2.0}})
    assert reopened(results.folder).all() == {"memory": {"Nchan": [{"bytes_per_connection": 1.0}]}}


def test_a_fresh_run_forgets_measurements_and_reasons(results: Results) -> None:
    put(results, "memory", {"Nchan": {"bytes_per_connection": 1.0}})
    results.leave_out("memory", "Flask-SocketIO", "not installed")
    fresh = reopened(results.folder, fresh=True)
    assert not fresh.all()
    assert not fresh.reasons()


def test_a_measurement_that_failed_leaves_nothing_behind(results: Results) -> None:
    with pytest.raises(ZeroDivisionError):
        results.once("memory", "Nchan", 0, lambda: {"bytes_per_connection": 1 / 0})
    assert not results.all()


def test_the_report_names_what_an_earlier_run_found_missing(results: Results) -> None:
    for experiment in all_experiments():
        if "Flask-SocketIO" in experiment.subjects:
            results.leave_out(experiment.name, "Flask-SocketIO", "Flask-SocketIO is not installed")
    put(results, "memory", {"Corkboard": {"bytes_per_connection": 1.0}})
    text = report.text_of(reopened(results.folder))
    assert "Missing: **Flask-SocketIO**: Flask-SocketIO is not installed (fan-out, 4 in flight;" in text
    assert rows(text)["Flask-SocketIO"][0] == "Flask-SocketIO is not installed"


def test_the_report_names_what_no_run_has_measured(results: Results) -> None:
    put(results, "memory", {who: {"bytes_per_connection": 1.0} for who in EVERYBODY if who != "Nchan"})
    line = next(line for line in report.text_of(results).splitlines() if "**Nchan**" in line)
    assert "not measured yet" in line
    assert "memory" in line


def test_the_reason_goes_once_there_is_a_measurement(results: Results) -> None:
    results.leave_out("memory", "Nchan", "Nchan is not installed")
    put(results, "memory", {"Nchan": {"bytes_per_connection": 1.0}})
    assert "not installed" not in report.text_of(results)


def test_a_peer_that_fails_is_a_result_and_is_tried_twice_at_most(results: Results) -> None:
    asked = []

    def refuse(_seconds: float) -> dict[str, float]:
        asked.append(1)
        raise Refused("too\nslow")

    assert bench_main.measure(results, Experiment("memory", "x", {"Nchan": refuse}), 5, False) == 0
    assert len(asked) == 2
    assert results.reasons() == {"memory": {"Nchan": "could not in run 2: too slow"}}


@pytest.mark.parametrize("subject", ["Corkboard", "among 2,000 others", "8,000 subscribers"])
def test_a_failure_of_the_project_itself_fails_the_benchmark(results: Results, subject: str) -> None:
    def refuse(_seconds: float) -> dict[str, float]:
        raise Refused("hung up")

    assert bench_main.measure(results, Experiment("memory", "x", {subject: refuse}), 2, False) == 2
    assert "FAILED" in results.reasons()["memory"][subject]


def test_without_wrk_only_http_is_missing(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _program: None)
    only = next(each for each in all_experiments() if each.name == "HTTP GET")
    assert bench_main.measure(results, only, 5, True) == 0
    text = report.text_of(results)
    who = "**Corkboard**, **FastAPI in memory**, **Flask in memory**"
    assert f"Missing: {who}: wrk is not installed (Debian: wrk) (HTTP GET)." in text


def test_the_report_says_what_to_install(results: Results) -> None:
    def lack(_seconds: float) -> dict[str, float]:
        raise Missing("Nchan is not installed (Debian: libnginx-mod-nchan)")

    bench_main.measure(results, Experiment("memory", "x", {"Nchan": lack}), 5, False)
    assert "libnginx-mod-nchan" in report.text_of(results)


@pytest.mark.parametrize(
    ("experiment", "key", "theirs", "expected"),
    [
        ("fan-out, 4 in flight", "deliveries_per_cpu_second", 50.0, "2 x as good"),
        ("memory", "bytes_per_connection", 50.0, "0.5 x as good"),
    ],
)
def test_the_ratio_says_how_much_better_the_project_is(
    results: Results, experiment: str, key: str, theirs: float, expected: str
) -> None:
    put(results, experiment, {"Corkboard": {key: 100.0}, "Nchan": {key: theirs}})
    assert rows(report.text_of(results))["Nchan"][-1] == expected


def test_a_ratio_to_zero_is_left_out(results: Results) -> None:
    key = "delivered_percent"
    put(results, "lossy network", {"Corkboard": {key: 100.0, "lost": 0.0}, "Nchan": {key: 0.0, "lost": 9.0}})
    assert rows(report.text_of(results))["Nchan"] == ["0 %", "9"]


def test_a_table_shows_the_median_and_how_far_the_runs_differ(results: Results) -> None:
    for run, value in enumerate((100.0, 300.0, 200.0)):
        results.once("memory", "Nchan", run, lambda value=value: {"bytes_per_connection": value})  # type: ignore[misc]
    text = report.text_of(results)
    assert "**200** (100 to 300)" in text
    assert "Runs: 3." in text


@pytest.mark.parametrize(
    ("last", "verdict"), [(1140.0, "(steady)"), (1160.0, "(UNSTEADY"), (840.0, "(UNSTEADY")]
)
def test_a_machine_that_changed_meanwhile_is_reported_as_unsteady(
    results: Results, last: float, verdict: str
) -> None:
    ends = {"at the beginning": 1000.0, "at the end": last}
    put(results, "machine", {when: {"nanoseconds_per_send": value} for when, value in ends.items()})
    assert verdict in report.first_of(results)


@pytest.mark.parametrize(("theirs", "verdict"), [(200.0, "It is 2: reached."), (150.0, "**not reached**")])
def test_an_aim_is_judged_below_its_table_and_counted_on_the_first_screen(
    results: Results, theirs: float, verdict: str
) -> None:
    rates = {"Corkboard": theirs, "Flask and PostgreSQL": 100.0}
    if theirs < 200:
        rates["Flask and PostgreSQL"] = 120.0
    put(
        results,
        "HTTP POST that is on the disk",
        {who: {"requests_per_second": rate, "cpu_seconds_per_1000": 0.5} for who, rate in rates.items()},
    )
    assert verdict in report.text_of(results)
    first = report.first_of(results)
    assert "| writes of the demo, each on the disk, per second | **2,000** |" in first
    assert ("1 of 1 aims are reached." in first) == (theirs == 200)


def test_every_aim_belongs_to_an_experiment_and_its_subjects() -> None:
    experiments = {experiment.name: experiment for experiment in all_experiments()}
    for name, found in aims.AIMS.items():
        for aim in found:
            assert aim.subject in experiments[name].subjects
            assert not aim.than or aim.than in experiments[name].subjects


def test_nothing_is_begun_when_no_time_is_left_and_the_report_says_so(results: Results) -> None:
    def never(_seconds: float) -> dict[str, float]:
        raise AssertionError("measured")

    assert bench_main.measure(results, Experiment("memory", "x", {"Nchan": never}), 5, False, end=0) == 0
    assert "no time was left" in report.text_of(results)


def test_no_percentage_is_rounded_up_to_100() -> None:
    assert show(99.9999, "delivered_percent") == "99.99 %"
    assert show(100.0, "delivered_percent") == "100 %"


def test_every_plot_shows_every_measured_server(results: Results) -> None:
    numbers = {
        "deliveries_per_cpu_second": 5.0,
        "p99_ms": 1.0,
        "bytes_per_connection": 2.0,
        "per_second": 3.0,
    }
    numbers |= {"delivered_percent": 88.0, "out_of_order": 0.0, "requests_per_second": 9.0}
    for experiment in all_experiments():
        put(results, experiment.name, dict.fromkeys(experiment.subjects, numbers))
    pictures = plots.draw(results.all(), results.folder)
    assert len(pictures) == 4
    for picture in pictures:
        text = picture.read_text()
        assert "<svg" in text
        if picture.stem != "performance-http":
            assert all(f"<!-- {who} -->" in text for who in EVERYBODY)
