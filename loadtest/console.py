"""The line of progress, and the verdict at the end."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]
from locust import events
from locust.html import get_html_report
from locust.runners import MasterRunner, WorkerRunner

from loadtest import report_lines, thresholds
from loadtest.users.listener import Listener

# Workers send their last figures within this time after the end.
REPORT_SECONDS = 4.0

_last_words: list[str] = []


def install() -> None:
    """Shows progress, and judges every run when it ends."""
    # Both warn of users that are stopped all at once, which is intended.
    noise = ("While stopping users, we encountered", "Your selected spawn rate is very high")
    logging.getLogger("locust.runners").addFilter(lambda record: not str(record.msg).startswith(noise))
    events.init.add_listener(_init)
    events.quitting.add_listener(_quitting)
    events.quit.add_listener(_quit)


def _init(environment: Any, runner: Any, web_ui: Any, **_: Any) -> None:
    if not isinstance(runner, MasterRunner):
        runner.register_message("cut", _cut)
    if isinstance(runner, WorkerRunner):
        return
    gevent.spawn(_progress, runner)
    if web_ui:
        # Locust does not quit between runs that are started in the browser: each is judged when it ends.
        def judge() -> None:
            report = environment.parsed_options.html_file
            _judge(environment, report and _write_report(environment, Path(report)))
            _quit()

        events.test_stop.add_listener(lambda **_: gevent.spawn_later(REPORT_SECONDS, judge))


def _write_report(environment: Any, file: Path) -> str:
    file = file.with_stem(time.strftime(f"{file.stem}-%Y-%m-%d-%H%M%S"))
    file.write_text(get_html_report(environment, show_download_link=False))
    return str(file)


def _cut(msg: Any, **_: Any) -> None:
    for listener in list(Listener.alive):
        listener.cut(msg.data["seconds"])


def _progress(runner: Any) -> None:
    terminal = sys.stderr.isatty()
    before, after = ("\r\033[K", "") if terminal else ("", "\n")
    while True:
        gevent.sleep(1 if terminal else 5)
        if runner.state in ("spawning", "running"):
            seconds = runner.environment.shape_class.get_run_time()
            print(f"{before}{seconds:5.0f} s  {_figures(runner)}", end=after, file=sys.stderr, flush=True)


def _figures(runner: Any) -> str:
    entries = runner.stats.entries
    requests = [entry for entry in entries.values() if entry.method in report_lines.HTTP_METHODS]
    event = entries.get(report_lines.AFTER_EVENT[::-1])
    p95 = event.get_current_response_time_percentile(0.95) if event else None
    return (
        f"{runner.user_count:,} users   {sum(entry.current_rps for entry in requests):,.0f} requests/s   "
        f"{event.current_rps if event else 0:,.0f} events/s   "
        f"fan-out p95 {'-' if p95 is None else f'{p95:g} ms'}   {runner.stats.total.num_failures:,} failed"
    )


def _quitting(environment: Any, **_: Any) -> None:
    if not isinstance(environment.runner, WorkerRunner):
        print(file=sys.stderr)  # ends the line of progress
        environment.process_exit_code = 0 if _judge(environment, environment.parsed_options.html_file) else 1


def _judge(environment: Any, report: str | None) -> bool:
    """Prepares the verdict. Returns whether the run is good."""
    options, runner = environment.parsed_options, environment.runner
    shape = getattr(environment.shape_class, "chosen", None)
    seconds = (runner.stats.total.last_request_timestamp or 0) - runner.stats.total.start_time
    percentiles = shape.judges_percentiles if shape else True
    checks = thresholds.check(runner.stats.entries.values(), seconds, options, percentiles)
    words = [*(shape.notes() if shape else []), *_hints(runner)]
    if report:
        words.append(f"report: {report}")
    words += map(str, sorted(checks, key=lambda check: bool(check.missed_by)))
    missed = sum(bool(check.missed_by) for check in checks)
    if broken := shape.failure() if shape else "nothing was run":
        words.append(f"FAIL  {options.shape}: {broken}")
        missed += 1
    total = len(checks) + bool(broken)
    words.append(
        f"The load test FAILED: {missed} of {total} thresholds missed."
        if missed
        else f"The load test passed: {total} thresholds kept."
    )
    _last_words[:] = words
    return not missed


def _hints(runner: Any) -> list[str]:
    hints = []
    if any("429" in str(error.error) for error in runner.stats.errors.values()):
        hints.append(
            "429: the site limits each client address, and all users here share one. Start it with "
            "RATE_LIMIT=0 and a higher MAX_SOCKETS_PER_CLIENT (see .env.example), or spread the workers."
        )
    if runner.cpu_warning_emitted or getattr(runner, "worker_cpu_warning_emitted", False):
        hints.append(
            "The load generator itself was out of CPU time: it is part of every delay above. "
            "Use more workers, more machines, or fewer users."
        )
    return hints


def _quit(**_: Any) -> None:
    # After Locust's own tables.
    if _last_words:
        print(*_last_words, sep="\n", file=sys.stderr, flush=True)
        _last_words.clear()
