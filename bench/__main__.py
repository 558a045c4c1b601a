"""`make bench`: compares the project with other ways to do the same, on this machine.

    make bench                                everything, five runs each: 80 minutes, never over two hours
    make bench ARGS=--quick                   one short run each: does it work, and roughly how fast?
    make bench ARGS="--only fan-out --only memory"
    make bench ARGS="--minutes 30"            ends then, with what there is
    make bench ARGS=--list                    the names of the experiments
    make bench ARGS=--fresh                   discard earlier results

Results are kept in bench/results/, so an interrupted benchmark continues where it ended. --docs also puts
the tables and plots into docs/explanation/performance.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

from bench import machine, report
from bench.clients import Refused
from bench.experiments import ENDS, PEERS, RUNS, Experiment, all_experiments, baseline
from bench.results import FOLDER, Results
from bench.servers import Missing

QUICK_SECONDS = 2.0
QUIET_LOAD = 0.5  # with half a core busy elsewhere, all figures are wrong
ENOUGH = 2  # failures of a peer: one may be chance, and each takes long
MOST_LETTERS = 200  # of the reason why something failed


def main() -> int:
    """Measures what is missing and writes the report. Returns the exit code: 1 if a measurement failed."""
    arguments = _arguments()
    # SIGTERM, too, must stop the servers that were started.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    if arguments.list:
        print("\n".join(experiment.name for experiment in all_experiments()))
        return 0
    end = time.monotonic() + arguments.minutes * 60
    results = Results(arguments.results, arguments.fresh, say)
    words = arguments.only or [""]
    chosen = [each for each in all_experiments() if any(word in each.name for word in words)]
    if not chosen:
        names = ", ".join(each.name for each in all_experiments())
        print(f"no experiment has that in its name; there are: {names}", file=sys.stderr)
        return 2
    _describe(arguments.results)
    most = 1 if arguments.quick else arguments.runs
    failed = measure(results, baseline(ENDS[0]), most, arguments.quick, end)
    for number, experiment in enumerate(chosen, 1):
        say(f"{number} of {len(chosen)}: {experiment.name}, {len(experiment.subjects)} subjects")
        failed += measure(results, experiment, most, arguments.quick, end)
    failed += measure(results, baseline(ENDS[1]), most, arguments.quick)
    for name, seconds in results.seconds().items():
        say(f"{name} took {seconds:.0f} s")
    written = report.write(results, arguments.results, arguments.docs)
    say("written: " + ", ".join(str(path) for path in written))
    return 1 if failed else 0


def say(text: str) -> None:
    """Prints a line of progress."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def measure(
    results: Results, experiment: Experiment, most_runs: int, is_quick: bool, end: float = math.inf
) -> int:
    """Measures all subjects in turn, then all of them again. Returns the number of failures.

    None begins after `end`, by `time.monotonic`. A peer that cannot do it twice is a result and is not tried
    again; for the project it is a failure.
    """
    seconds = min(QUICK_SECONDS, experiment.seconds) if is_quick else experiment.seconds
    failed = 0
    refused: Counter[str] = Counter()
    for run in range(min(most_runs, experiment.runs)):
        for subject, ask in experiment.subjects.items():
            if refused[subject] >= ENOUGH or results.has(experiment.name, subject, run):
                continue
            if time.monotonic() > end:
                results.leave_out(experiment.name, subject, f"no time was left for run {run + 1}")
                continue
            try:
                results.once(experiment.name, subject, run, partial(ask, seconds))
                continue
            except Missing as error:
                why = str(error)
                refused[subject] = ENOUGH
            except Exception as error:
                is_result = isinstance(error, Refused) and subject in PEERS
                why = f"{'could not' if is_result else 'FAILED'} in run {run + 1}: {error}"
                refused[subject] += is_result
                failed += not is_result
            why = " ".join(why.split())[:MOST_LETTERS]
            results.leave_out(experiment.name, subject, why)
            say(f"{experiment.name}, {subject}: {why}")
    return failed


def _describe(folder: Path) -> None:
    """Keeps a description of the machine, as it was before the first measurement."""
    load = os.getloadavg()[0]
    if load > QUIET_LOAD:
        say(f"other programs are busy (load {load:.1f}): trust the ratios, not the figures")
    file = folder / "machine.txt"
    if not file.exists():
        about = {**machine.description(), "load_before": round(load, 1)}
        file.write_text(json.dumps(about, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", action="append", metavar="WORD", help="experiments with this in their name")
    parser.add_argument("--list", action="store_true", help="only say which experiments there are")
    parser.add_argument("--minutes", type=float, default=120.0, help="begin no measurement after so many")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs of each measurement, at most")
    parser.add_argument("--quick", action="store_true", help="one run of two seconds each")
    parser.add_argument("--fresh", action="store_true", help="discard earlier results")
    parser.add_argument("--docs", action="store_true", help="also update docs/explanation/performance.md")
    parser.add_argument("--results", type=Path, default=FOLDER, help="where to keep the results")
    arguments = parser.parse_args()
    if arguments.quick:  # never mixed with the others
        arguments.results /= "quick"
    return arguments


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Interrupted; the next `make bench` continues here.", file=sys.stderr)
        sys.exit(130)
