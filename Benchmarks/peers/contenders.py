"""Programs that do the same work: how one is run, and how its times are read from what it writes."""

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from machine import ComparisonError, busy_seconds, neutral_environment

OURS = "gpt2"  # the key of the contender that the others are compared with


@dataclass(frozen=True)
class Timing:
    """Milliseconds."""

    least: float
    median: float
    most: float

    @staticmethod
    def of(samples: list[float]) -> "Timing":
        return Timing(min(samples), statistics.median(samples), max(samples))

    @staticmethod
    def over(rounds: list["Timing"]) -> "Timing":
        """Extremes of all rounds; the median of their medians."""
        return Timing(
            min(one.least for one in rounds), statistics.median(one.median for one in rounds),
            max(one.most for one in rounds))


@dataclass
class Run:
    """What one process measured."""

    timing: Timing  # of the work that contenders are compared by
    parts: dict[str, Timing] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    peak_bytes: int = 0  # the resident set at its largest, as the kernel counts it
    disturbance: float = 0  # the share of the processors' time that others took meanwhile
    details: dict = field(default_factory=dict)  # what the program says about itself


@dataclass
class Contender:
    """A command that is run in an empty folder, and the reader of what it leaves there (stdout: `stdout`)."""

    key: str
    name: str
    command: list[str]
    read: Callable[[Path], Run]
    environment: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def run(self) -> Run:
        with tempfile.TemporaryDirectory(prefix="gpt2-compare-") as name:
            folder = Path(name)
            start, busy = time.monotonic(), busy_seconds()
            with open(folder / "stdout", "w") as stdout, open(folder / "stderr", "w") as stderr:
                process = subprocess.Popen(
                    self.command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, cwd=folder,
                    env={**neutral_environment(), **self.environment})
                try:
                    _, status, usage = os.wait4(process.pid, 0)
                except BaseException:
                    process.kill()
                    process.wait()
                    raise
            seconds, busy = time.monotonic() - start, busy_seconds() - busy
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                said = (folder / "stderr").read_text()[-2000:].strip() or "nothing on stderr"
                raise ComparisonError(f"{self.name} exited with {process.returncode}, saying: {said}")
            try:
                run = self.read(folder)
            except (OSError, ValueError, LookupError, TypeError) as error:
                raise ComparisonError(f"the output of {self.name} cannot be read: {error!r}") from error
        run.peak_bytes = 1024 * usage.ru_maxrss
        run.disturbance = max(0, busy - usage.ru_utime - usage.ru_stime) / seconds / (os.cpu_count() or 1)
        return run

    def timing(self) -> Timing:
        return Timing.over([run.timing for run in self.runs])

    def part(self, name: str) -> Timing:
        return Timing.over([run.parts[name] for run in self.runs])

    def peak_bytes(self) -> int:
        return max(run.peak_bytes for run in self.runs)


def expect(what: str, expected: object, found: object) -> None:
    if expected != found:
        raise ValueError(f"expected {what} to be {expected}, found {found}")


# MARK: Readers

def read_steps(folder: Path, file: str, warm_up: int, field: str = "milliseconds") -> Run:
    """The steps after warm-up of a log with one JSON object a line."""
    lines = (folder / file).read_text().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    steps = [event for event in events if event.get("event") == "train"]
    if len(steps) <= warm_up:
        raise ValueError(f"expected more than {warm_up} steps, found {len(steps)}")
    timing = Timing.of([step[field] for step in steps[warm_up:]])
    return Run(timing, losses=[step["loss"] for step in steps], details=events[-1])


def read_validation(folder: Path, file: str) -> Run:
    """The first validation's loss of a log of `gpt2 train`."""
    events = [json.loads(line) for line in (folder / file).read_text().splitlines()]
    loss = next(event["loss"] for event in events if event.get("event") == "validation")
    return Run(Timing(0, 0, 0), losses=[loss])


def read_results(folder: Path, file: str, suite: str) -> tuple[list[dict], dict]:
    """The results of one suite and the machine, of `gpt2-bench --json` or of a program with that format."""
    report = json.loads((folder / file).read_text())
    results = [result for result in report["results"] if result["suite"] == suite]
    if not results:
        raise ValueError(f"expected results of the suite {suite}, found none")
    return results, report["machine"]


def read_suite(folder: Path, file: str, suite: str, field: str | None = None) -> Run:
    """A suite with one result: its times, or the median that a field of it holds."""
    (result,), machine = read_results(folder, file, suite)
    timing = Timing.of([result[field]]) if field else timing_of(result)
    return Run(timing, details={**machine, **result})


def read_products(folder: Path, file: str, threads: int) -> Run:
    """The suite gemm: every product, and the sum of all of them."""
    results, machine = read_results(folder, file, "gemm")
    expect("threads", threads, machine["threads"])
    parts = {result["name"]: timing_of(result) for result in results}
    total = Timing(
        sum(part.least for part in parts.values()), sum(part.median for part in parts.values()),
        sum(part.most for part in parts.values()))
    return Run(total, parts=parts, details={**machine, "products": {result["name"]: result for result in results}})


def timing_of(result: dict) -> Timing:
    milliseconds = result["milliseconds"]
    return Timing(milliseconds["min"], milliseconds["median"], milliseconds["max"])
