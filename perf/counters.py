#!/usr/bin/env python3
"""Reads what `perf stat -x ';'` wrote into the file that is named, and prints a table with a sentence for each line.

A line of perf's has: count; unit; event; time it was counted for; percent of the time; metric; what the metric is.
Where a group of metrics was asked for, those without a count of their own have empty fields before the metric.
"""

import os
import re
import sys
from dataclasses import dataclass, field


# What the pipeline's slots are used for, as perf's groups of metrics name it, Intel's behind "tma_".
SLOTS = ("retiring", "backend_bound", "frontend_bound", "bad_speculation", "smt_contention")


@dataclass
class Counts:
    events: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    least_counted: float = 100.0  # percent of the time

    def first(self, *names: str) -> float | None:
        return next((self.events[name] for name in names if name in self.events), None)


def read(lines) -> Counts:
    counts = Counts()
    for line in lines:
        fields = line.rstrip("\n").split(";")
        if len(fields) < 5:
            continue
        # "cycles:u" where only the program itself may be counted.
        event = re.sub(r":[ukhp]+$", "", fields[2])
        value = number(fields[0])
        if event and value is not None:
            counts.events[event] = value
            counts.least_counted = min(counts.least_counted, number(fields[4]) or 100.0)
        if len(fields) > 6 and (metric := number(fields[5])) is not None and fields[6].strip():
            name = fields[6].split()[-1].lower().removeprefix("tma_")
            # "%  backend_bound", or a fraction of 1 from an older perf.
            is_fraction = name in SLOTS and "%" not in fields[6]
            counts.metrics[name] = 100 * metric if is_fraction else metric
    return counts


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@dataclass
class Row:
    name: str
    value: str
    meaning: str


def pipeline(counts: Counts) -> list[Row]:
    """Top-down: what each slot of the pipeline was used for."""
    meanings = {
        "retiring": lambda share: "work that counted; two multiply-adds a cycle and their loads are about a third of them"
        if share >= 25 else "work that counted; below a quarter the units wait, for what the other lines say",
        "backend_bound": lambda share: "waited for data, if misses below are many; else for the units that multiply, "
        "whose limit it is" if share >= 30 else "data and units were there in time",
        "frontend_bound": lambda share: "waited for instructions: unusual in kernels, so look for calls in a loop"
        if share >= 15 else "instructions were there in time",
        "bad_speculation": lambda share: "thrown away after wrong guesses of branches: look for short or ragged loops"
        if share >= 5 else "hardly a wrong guess of a branch",
        "smt_contention": lambda share: "went to the core's other thread: one thread a core is the default, see --threads"
        if share >= 5 else "the core's other thread left them alone",
    }
    rows = []
    for name in SLOTS:
        if (share := counts.metrics.get(name)) is not None:
            rows.append(Row(f"slots: {name.replace('_', ' ')}", f"{share:.1f} %", meanings[name](share)))
    return rows


def software(counts: Counts, processors: int) -> list[Row]:
    rows = []
    seconds = (counts.first("task-clock") or 0) / 1000
    if (busy := counts.metrics.get("utilized")) is not None:
        rows.append(Row(
            "processors in use", f"{busy:.2f} of {processors}",
            "as many as there are threads would be all of the time; reading files and starting take one"))
    if (faults := counts.first("page-faults")) is not None:
        rows.append(Row(
            "page faults", f"{faults:,.0f}",
            "memory touched for the first time; steps after the first have next to none: more steps, same number"))
    if seconds == 0:
        return rows
    if (switches := counts.first("context-switches")) is not None:
        rate = switches / seconds
        rows.append(Row(
            "context switches", f"{rate:,.0f} /s of a CPU",
            "threads lose their processors: to others, to a quota, or to each other where --threads is too many"
            if rate > 100 else "threads keep their processors"))
    if (migrations := counts.first("cpu-migrations")) is not None:
        rate = migrations / seconds
        rows.append(Row(
            "migrations", f"{rate:,.1f} /s of a CPU",
            "threads are moved about: pinned ones are not while a pass lasts (Documentation/many-cores.md)"
            if rate > 10 else "threads stay where they are"))
    return rows


def hardware(counts: Counts) -> list[Row]:
    rows = []
    seconds = (counts.first("task-clock") or 0) / 1000
    cycles, instructions = counts.first("cycles"), counts.first("instructions")
    if cycles and seconds:
        rows.append(Row("clock", f"{cycles / seconds / 1e9:.2f} GHz", "while it ran; the peak that gpt2-bench measures goes with it"))
    if cycles and instructions:
        rate = instructions / cycles
        rows.append(Row(
            "instructions a cycle", f"{rate:.2f}",
            "two multiply-adds and their loads a cycle come to above 2" if rate >= 2 else
            "below 1 threads wait, for memory or for each other" if rate < 1 else
            "products and sweeps of memory mixed; annotate tells which kernel is slow"))
    if not instructions:
        return rows
    misses = [
        ("L1 misses", ["L1-dcache-load-misses"], "went to L2, which products count on: their panels lie there"),
        ("L2 misses", ["l2_rqsts.miss", "l2_cache_req_stat.ic_dc_miss_in_l2"],
         "went to L3; sweeps (norms, update) do by nature, products should not often"),
        ("dTLB misses", ["dTLB-load-misses"],
         "near 0 with huge pages; above 1 see /sys/kernel/mm/transparent_hugepage/enabled"),
    ]
    for name, events, meaning in misses:
        if (count := counts.first(*events)) is not None:
            rows.append(Row(name, f"{1000 * count / instructions:.2f} /1000 instr.", meaning))
    beyond = counts.first("LLC-load-misses", "mem_load_retired.l3_miss", "ls_dmnd_fills_from_sys.dram_io_all")
    if beyond is not None and seconds:
        # A line of the cache has 64 bytes.
        rows.append(Row(
            "loads from memory", f"{64 * beyond / seconds / 1e9:.2f} GB/s a CPU",
            "that nobody had asked for in advance; times the CPUs in use, beside the read rate of --suite peak"))
    return rows + nodes(counts)


def nodes(counts: Counts) -> list[Row]:
    pairs = [
        ("mem_load_l3_miss_retired.local_dram", "mem_load_l3_miss_retired.remote_dram"),
        ("ls_dmnd_fills_from_sys.dram_io_near", "ls_dmnd_fills_from_sys.dram_io_far"),
        ("ls_dmnd_fills_from_sys.mem_io_local", "ls_dmnd_fills_from_sys.mem_io_remote"),
        ("node-loads", "node-load-misses"),
    ]
    for local, remote in pairs:
        near, far = counts.events.get(local), counts.events.get(remote)
        if near is not None and far is not None and near + far > 0:
            return [Row(
                "of them, other nodes'", f"{100 * far / (near + far):.1f} %",
                "interleaved memory has (n - 1)/n of n nodes; split and pinned threads should have far fewer")]
    return []


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("counters.py: expected one file of perf stat's, run perf/counters instead")
    try:
        with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
            counts = read(file)
    except OSError as error:
        raise SystemExit(f"counters.py: expected counts of perf stat in {sys.argv[1]}: {error.strerror}") from None
    rows = pipeline(counts)
    if "cycles" in counts.events:
        if not rows:
            print("This perf knows no top-down groups for this processor (a newer one may); the counters by themselves:")
    else:
        print("The hardware counts nothing here, as in most virtual machines; what the kernel counts:")
    rows += hardware(counts) + software(counts, len(os.sched_getaffinity(0)))
    if not rows:
        raise SystemExit(f"counters.py: expected counts of perf stat in {sys.argv[1]}, found none")
    widths = [max(len(text) for text in column) for column in zip(*((row.name, row.value) for row in rows))]
    for row in rows:
        print(f"{row.name:<{widths[0]}}  {row.value:>{widths[1]}}  {row.meaning}")
    if counts.least_counted < 99.5 and "cycles" in counts.events:
        print(f"counters took turns: some counted for {counts.least_counted:.0f} % of the time, the rest is scaled")


if __name__ == "__main__":
    main()
