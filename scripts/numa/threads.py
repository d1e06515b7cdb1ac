"""Threads of a pass have a CPU each, on a core each while there are enough, and nothing of it is left at the end."""

import re
from dataclasses import dataclass

from guest import RUNS, Facts, Run
from topologies import Topology, numbers
from verdict import Verdict


@dataclass(frozen=True)
class Sample:
    """Where the threads of a stopped process may run, by thread."""

    allowed: dict[int, list[int]]


def samples(text: str) -> list[Sample]:
    """Those in which every thread had stopped: together they are one state."""
    found = []
    for block in text.split("\n\n"):
        fields: dict[str, dict[int, str]] = {"State": {}, "Cpus_allowed_list": {}}
        for task, name, value in re.findall(r"/task/(\d+)/status:(\w+):\s*(\S+)", block):
            fields[name][int(task)] = value
        states, allowed = fields["State"], fields["Cpus_allowed_list"]
        if states and set(states.values()) == {"T"} and set(allowed) == set(states):
            found.append(Sample({task: numbers(value) for task, value in allowed.items()}))
    return found


def check_threads(topology: Topology, facts: Facts) -> Verdict:
    verdict = Verdict("threads")
    parts = []
    for run in RUNS:
        if topology.refuses(run.placement):
            continue
        threads = run.threads or topology.default_threads
        where = f"{run.name}, {threads} threads"
        taken = samples(facts.text(f"{run.name}.threads"))
        if not taken:
            verdict.fault(where, "samples of its threads", "none")
            continue
        most = max(judge_sample(where, sample, topology, threads, verdict) for sample in taken)
        judge_pinning(where, most, topology, threads, facts.said(run), verdict)
        parts.append(f"{most} of {threads} in {len(taken)} samples")
    verdict.summary = "pinned at once: " + ", ".join(parts)
    return verdict


def judge_sample(where: str, sample: Sample, topology: Topology, threads: int, verdict: Verdict) -> int:
    """Returns how many threads are pinned."""
    mask = topology.allowed
    # A mask may name CPUs that are offline.
    online = [[cpu for cpu in cpus if cpu in topology.online] for cpus in sample.allowed.values()]
    narrowed = [cpus for cpus in online if cpus != mask]
    for cpus in narrowed:
        if len(cpus) != 1 or cpus[0] not in mask:
            verdict.fault(where, f"a thread on {mask} or one of these", f"one on {cpus}")
    places = sorted(cpus[0] for cpus in narrowed)
    cores = {topology.core(cpu) for cpu in places}
    if threads <= len(mask) and len(set(places)) < len(places):
        verdict.fault(where, "threads on CPUs of their own", f"them on {places}")
    elif threads <= len(topology.cores) and len(cores) < len(places):
        verdict.fault(where, "threads on cores of their own", f"them on CPUs {places}")
    return len(places)


def judge_pinning(
    where: str, most: int, topology: Topology, threads: int, errors: list[str], verdict: Verdict
) -> None:
    """Whether threads are pinned where they should be, and one sentence where that cannot be."""
    is_hindered = "sched_setaffinity" in topology.refused or threads > (topology.quota or threads)
    # Fewer than the cores would all choose the same ones, more than the CPUs share them: then the kernel may decide.
    has_places = len(topology.cores) <= threads <= len(topology.allowed) and threads > 1
    if is_hindered:
        verdict.expect(f"{where}, threads pinned in spite of {' '.join(topology.manner)}", 0, most)
    elif has_places:
        verdict.expect(f"{where}, standard error", [], errors)
    if len(errors) > 1:
        verdict.fault(f"{where}, standard error", "one sentence at most", errors)
    if has_places:
        if is_hindered and not errors:
            verdict.fault(f"{where}, standard error", "one sentence that threads are not pinned", errors)
        if not is_hindered and most < 2:
            verdict.fault(where, "threads that are pinned in a pass", f"{most} at once")


def check_caller(topology: Topology, facts: Facts) -> Verdict:
    """Every thread's mask and memory policy are at the end what they were before the program began."""
    verdict = Verdict("caller")
    threads = 0
    for run in RUNS:
        if topology.refuses(run.placement):
            continue
        snapshots = facts.text(f"{run.name}.witness").split("\n\n")[:-1]
        if len(snapshots) != 2:
            verdict.fault(run.name, "snapshots before and after the program", len(snapshots))
            continue
        before, after = masks(snapshots[0], topology), masks(snapshots[1], topology)
        verdict.expect(f"{run.name}, masks before", {tuple(topology.allowed)}, before)
        verdict.expect(f"{run.name}, masks after", before, after)
        verdict.expect(f"{run.name}, policies before", {"default"}, policies(snapshots[0]))
        verdict.expect(f"{run.name}, policies after", {"default"}, policies(snapshots[1]))
        threads += snapshots[1].count("Cpus_allowed_list")
    verdict.summary = f"{threads} threads at the ends"
    return verdict


def masks(snapshot: str, topology: Topology) -> set[tuple[int, ...]]:
    """All that its threads have, without CPUs that are offline."""
    found = (numbers(text) for text in re.findall(r"Cpus_allowed_list:\s*(\S+)", snapshot))
    return {tuple(cpu for cpu in cpus if cpu in topology.online) for cpus in found}


def policies(snapshot: str) -> set[str]:
    return set(re.findall(r"numa_maps:\S+ (\S+) stack", snapshot))
