"""The report: a table per experiment, and the plots."""

from __future__ import annotations

import json
from pathlib import Path

from bench import aims, plots, summary
from bench.experiments import ENDS, OURS, all_experiments, baseline
from bench.results import Numbers, Results, middle, show, spread
from local.settings import ROOT

DOCS = ROOT / "docs"
PAGE = DOCS / "explanation" / "performance.md"
# What of the page is made from the results.
FIRST, TABLES = "summary", "measured"
# If one send() takes that much more or less at the end than at the beginning, the machine has changed.
DRIFT = 0.15

COLUMNS = {
    "deliveries_per_cpu_second": "deliveries per CPU second",
    "deliveries_per_second": "deliveries per second",
    "frames_per_second": "frames per second",
    "longest_task_ms": "longest task ms",
    "longest_pause_ms": "longest pause ms",
    "task_share": "main thread busy",
    "script_share": "of it scripts",
    "heap_mebibytes": "JavaScript MiB",
    "load": "load average",
    "events_per_read": "events per read",
    "busy": "CPUs used",
    "p99_ms": "p99 ms",
    "p95_ms": "p95 ms",
    "p90_ms": "p90 ms",
    "p50_ms": "p50 ms",
    "max_ms": "worst ms",
    "bytes_per_connection": "bytes per connection",
    "connections_cpu": "% of a core, per 1,000 connections",
    "connections_commands": "Redis commands per second, per 1,000 connections",
    "topics_cpu": "% of a core, per 1,000 connections with a topic each",
    "topics_commands": "Redis commands per second, per 1,000 of these",
    "per_second": "per second",
    "per_cpu_second": "per CPU second",
    "seconds": "seconds",
    "redis_commands": "Redis commands",
    "cpu_seconds": "CPU seconds",
    "clients_with_wrong_events": "clients with wrong events",
    "bytes": "bytes in all",
    "times_the_floor": "times the floor",
    "requests_per_second": "requests per second",
    "lists_per_second": "lists per second",
    "flask_requests": "requests that Flask answered",
    "cpu_seconds_per_1000": "CPU seconds per 1,000",
    "floor_cpu_seconds_per_1000": "of the floor",
    "floor_p99_ms": "p99 ms of the floor",
    "delivered_percent": "delivered",
    "worst_client_percent": "to the worst client",
    "lost": "events lost",
    "duplicates": "duplicates",
    "out_of_order": "out of order",
    "thrown_out": "disconnected or refused",
}
LOWER_IS_BETTER = ("times_the_floor", "p99_ms", "bytes_per_connection", "seconds", "topics_cpu")


def write(results: Results, folder: Path, docs: bool) -> list[Path]:
    """Writes report.md, all.txt and the plots; with `docs` also the page about performance and its plots.

    Returns the files that people read.
    """
    found = results.all()
    first, text = first_of(results), text_of(results)
    (folder / "report.md").write_text(f"{first}\n\n{text}")
    (folder / "all.txt").write_text(json.dumps(found, indent=1))
    written = [folder / "report.md", *plots.draw(found, folder)]
    if docs:
        plots.draw(found, DOCS / "images")
        page = PAGE.read_text()
        for name, made in ((FIRST, first), (TABLES, text)):
            begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
            before, after = page.partition(begin)[0], page.partition(end)[2]
            page = f"{before}{begin}\n{made}\n{end}{after}"
        PAGE.write_text(page)
        written.append(PAGE)
    return written


def first_of(results: Results) -> str:
    """What a core carries, how many aims are reached, and the machine, in Markdown."""
    found = results.all()
    return f"{summary.text(found)}\n\n{_about(results, found.get(baseline().name, {}))}"


def text_of(results: Results) -> str:
    """What is missing and why, and a table per experiment with what was aimed at, in Markdown."""
    found, reasons = results.all(), results.reasons()
    parts = []
    if missing := _missing(found, reasons):
        parts.append("\n".join(missing))
    for experiment in all_experiments():
        if subjects := found.get(experiment.name):
            ordered = {name: subjects[name] for name in experiment.subjects if name in subjects}
            runs = sorted({len(each) for each in ordered.values()})
            title = f"{experiment.name[0].upper()}{experiment.name[1:]}"
            caption = f"Runs: {' to '.join(str(number) for number in (runs[0], runs[-1])[: len(runs)])}."
            why = reasons.get(experiment.name, {})
            parts.append(f"### {title}\n\n{caption}\n\n{_table(ordered, experiment.key, why)}")
            if judged := aims.lines(experiment.name, subjects):
                parts.append("  \n".join(judged))
    return "\n\n".join(parts)


def _missing(found: dict[str, dict[str, list[Numbers]]], reasons: dict[str, dict[str, str]]) -> list[str]:
    """One line for all subjects that lack the same measurements for the same reason."""
    gaps: dict[tuple[str, str], list[str]] = {}
    for experiment in all_experiments():
        for subject in experiment.subjects:
            why = reasons.get(experiment.name, {}).get(subject)
            if why is None and subject not in found.get(experiment.name, {}):
                why = "not measured yet"
            if why is not None:
                gaps.setdefault((subject, why), []).append(experiment.name)
    alike: dict[tuple[str, str], list[str]] = {}
    for (subject, why), experiments in gaps.items():
        alike.setdefault((why, "; ".join(experiments)), []).append(f"**{subject}**")
    return [f"- Missing: {', '.join(who)}: {why} ({where})." for (why, where), who in alike.items()]


def _about(results: Results, ends: dict[str, list[Numbers]]) -> str:
    about = json.loads((results.folder / "machine.txt").read_text())
    minutes = sum(results.seconds().values()) / 60
    pinned = "server and load generator on separate cores" if about["pinned"] else "nothing pinned to a core"
    lines = [
        f"{about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB, {about['system']}, "
        f"Python {about['python']}; {pinned}.",
        "Medians, with the lowest and the highest run in brackets; load before the first measurement: "
        f"{about['load_before']}; {minutes:.0f} minutes in all.",
    ]
    if len(ends) == 2:
        first, last = (middle(ends[when], baseline().key) for when in ENDS)
        verdict = "steady" if abs(last / first - 1) <= DRIFT else "UNSTEADY: trust ratios only"
        lines.append(
            f"One send() took {first:.0f} ns at the beginning and {last:.0f} ns at the end ({verdict})."
        )
    return "\n".join(lines)


def _table(subjects: dict[str, list[Numbers]], key: str, reasons: dict[str, str]) -> str:
    keys = [each for each in COLUMNS if any(each in run for runs in subjects.values() for run in runs)]
    keys.sort(key=lambda each: each != key)
    head = ["", *(COLUMNS[each] for each in keys)]
    if comparable := OURS in subjects and len(subjects) > 1:
        head.append("Corkboard is")
    rows = [head, ["---", *("---:" for _ in head[1:])]]
    for subject, runs in subjects.items():
        cells = [subject, *(_cell(runs, each, each == key) for each in keys)]
        if comparable:
            cells.append("" if subject.startswith(OURS) else _times(subjects[OURS], runs, key))
        rows.append(cells)
    rows += [
        [subject, why, *("" for _ in head[2:])] for subject, why in reasons.items() if subject not in subjects
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(runs: list[Numbers], key: str, with_spread: bool) -> str:
    having = [run for run in runs if key in run]
    if not having:
        return ""
    text = show(middle(having, key), key)
    if with_spread and len(having) > 1:
        low, high = spread(having, key)
        text = f"**{text}** ({show(low, key)} to {show(high, key)})"
    return text


def _times(ours: list[Numbers], others: list[Numbers], key: str) -> str:
    if not middle(ours, key) or not middle(others, key):
        return ""
    ratio = middle(ours, key) / middle(others, key)
    return f"{1 / ratio if key in LOWER_IS_BETTER else ratio:.3g} x as good"
