"""What must hold on every machine: the checks in the order of the table."""

import hashlib
import json
import re
from dataclasses import dataclass

from guest import RUNS, Facts
from pages import check_pages
from threads import check_caller, check_threads
from topologies import Topology, numbers
from verdict import Verdict

CHECKS = ("machine", "bits", "pages", "threads", "caller", "bench", "tests")

# Of gpt2-bench, run with --quick.
SUITES = ("peak", "memory", "scaling")


@dataclass(frozen=True)
class Expected:
    """Of this machine's own run: loss and gradients' norm of each step, and the digest of the model at the end."""

    steps: list[tuple[float, float]]
    digest: str


def steps(log: str) -> list[tuple[float, float]]:
    events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [(event["loss"], event["gradient_norm"]) for event in events if event["event"] == "train"]


def expected(log: str, model: bytes) -> Expected:
    return Expected(steps(log), hashlib.sha256(model).hexdigest())


def check(topology: Topology, facts: Facts, host: Expected) -> list[Verdict]:
    verdicts = [
        check_machine(topology, facts), check_bits(topology, facts, host), check_pages(topology, facts),
        check_threads(topology, facts), check_caller(topology, facts), check_bench(topology, facts),
        check_tests(topology, facts)]
    assert tuple(verdict.check for verdict in verdicts) == CHECKS
    return verdicts


def check_machine(topology: Topology, facts: Facts) -> Verdict:
    """The kernel sees the machine that was asked for: without that the other checks say nothing."""
    verdict = Verdict("machine")
    system = dict(line.split(":", 1) for line in facts.text("system").splitlines())

    def listed(name: str) -> list[int]:
        return numbers(system.get(name, ""))

    verdict.expect("CPUs online", topology.online, listed("cpu/online"))
    verdict.expect("nodes with memory", topology.nodes_with_memory, listed("node/has_memory"))
    verdict.expect("nodes with CPUs", topology.nodes_with_cpus, listed("node/has_cpu"))
    for index, node in enumerate(topology.nodes):
        online = [cpu for cpu in numbers(node.cpus) if cpu in topology.online]
        verdict.expect(f"CPUs of node {index}", online, listed(f"node/node{index}/cpulist"))
        distances = [str(topology.distance(index, other)) for other in range(len(topology.nodes))]
        verdict.expect(f"distances of node {index}", distances, system.get(f"node/node{index}/distance", "").split())
    for cpu in topology.online:
        siblings = [other for other in topology.online if topology.core(other) == topology.core(cpu)]
        neighbours = [other for other in topology.online if topology.die(other) == topology.die(cpu)]
        verdict.expect(f"siblings of CPU {cpu}", siblings, listed(f"cpu/cpu{cpu}/topology/core_cpus_list"))
        found = listed(f"cpu/cpu{cpu}/cache/index3/shared_cpu_list")
        verdict.expect(f"CPUs with the L3 of CPU {cpu}", neighbours, found)
    packages = {system.get(f"cpu/cpu{cpu}/topology/physical_package_id") for cpu in topology.online}
    verdict.expect("sockets", topology.sockets, len(packages))
    verdict.summary = f"nodes {len(topology.nodes)}, CPUs online {len(topology.online)}, sockets {len(packages)}"
    return verdict


def check_bits(topology: Topology, facts: Facts, host: Expected) -> Verdict:
    """Every run has this machine's bits."""
    verdict = Verdict("bits")
    runs = [run for run in RUNS if not topology.refuses(run.placement)]
    for run in runs:
        if facts.status(run.name) != "0":
            verdict.fault(run.name, "exit status 0", facts.death(run.name))
            continue
        found = steps(facts.text(f"{run.name}.jsonl"))
        verdict.expect(f"{run.name}, loss and norm of each step", host.steps, found)
        verdict.expect(f"{run.name}, the model's SHA-256", [host.digest], facts.text(f"{run.name}.sum").split()[:1])
    verdict.summary = f"{len(runs)} runs of {len(host.steps)} steps: losses, norms, parameters"
    return verdict


def check_bench(topology: Topology, facts: Facts) -> Verdict:
    """gpt2-bench sees the machine, and measures something."""
    verdict = Verdict("bench")
    if facts.status("bench") != "0":
        verdict.fault("gpt2-bench", "exit status 0", facts.death("bench"))
        return verdict
    report = json.loads(facts.text("bench.json"))
    machine, rows = report["machine"], report["results"]
    errors = facts.text("bench.err").splitlines()
    if "sched_setaffinity" not in topology.refused:
        verdict.expect("standard error", [], errors)
    elif len(errors) != 1 or "tied" not in errors[0]:
        verdict.fault("standard error", "one sentence, that threads cannot be tied", errors)
    verdict.expect("threads", topology.default_threads, machine["threads"])
    verdict.expect("cores", topology.online_cores, machine["cores"])
    verdict.expect("sockets", topology.sockets, machine["sockets"])
    verdict.expect("nodes with CPUs", len(topology.nodes_with_cpus), machine["nodes"])
    line = topology_line(topology)
    if line not in [text.strip() for text in facts.text("bench.out").splitlines()]:
        verdict.fault("what is printed first", line, facts.text("bench.out").splitlines()[:2])
    verdict.expect("suites", set(SUITES), {row["suite"] for row in rows})
    for row in rows:
        judge_row(row, topology, verdict)
    verdict.summary = f"{len(rows)} rows of {','.join(SUITES)}, {machine['threads']} threads"
    return verdict


def check_tests(topology: Topology, facts: Facts) -> Verdict:
    """The tests of threads and memory pass here, too."""
    verdict = Verdict("tests")
    if "mbind" in topology.refused:
        verdict.summary = "not run where mbind is refused"
        return verdict
    if "tests.status" not in facts.files:
        verdict.is_built, verdict.summary = False, "no test runner: swift build -c release --build-tests makes it"
        return verdict
    status, output = facts.status("tests"), facts.text("tests.out")
    ran = re.search(r"Test run with (\d+) tests?", output)
    if status != "0" or ran is None:
        failures = [line for line in output.splitlines() if "recorded an issue" in line] or output.splitlines()[-3:]
        verdict.fault("the test runner", "exit status 0", f"{status}: {'; '.join(failures[:5])}")
    verdict.summary = f"{ran[1] if ran else 'no'} tests"
    return verdict


def topology_line(topology: Topology) -> str:
    """As Topology's description has it."""
    counts = [
        (topology.sockets, "socket"), (len(topology.nodes_with_cpus), "NUMA node"), (topology.online_cores, "core"),
        (len(topology.online), "logical processor")]
    parts = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts]
    if len(topology.allowed) < len(topology.online):
        parts.append(f"{len(topology.allowed)} of them allowed")
    if topology.quota is not None:
        parts.append(f"a quota of {topology.quota} CPUs")
    return ", ".join(parts)


def judge_row(row: dict, topology: Topology, verdict: Verdict) -> None:
    name, times = row["name"], row["milliseconds"]
    if not 0 < times["min"] <= times["median"] <= times["max"]:
        verdict.fault(f"row '{name}'", "0 < min <= median <= max", times)
    for key in ("gflops", "gops", "gigabytes_per_second"):
        if key in row and not row[key] > 0:
            verdict.fault(f"row '{name}', {key}", "more than 0", row[key])
    if "threads" in row and not 1 <= row["threads"] <= topology.default_threads:
        verdict.fault(f"row '{name}', threads", f"1 to {topology.default_threads}", row["threads"])
