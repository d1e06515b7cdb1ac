"""Pages lie where each run asked for them: by the policies that its ranges have, and over the nodes that it means."""

import re
from collections import Counter
from dataclasses import dataclass

from guest import PARAMETERS, RUNS, Facts, Run
from topologies import Topology, numbers
from verdict import Verdict

PAGE_BYTES = 4096
# A range is touched in so many pieces: pages that nobody uses lie between.
PIECES = 4

# Parameters, gradients and two moments in float32: what a run places at least.
LEAST_PAGES = 4 * PARAMETERS * 4 // PAGE_BYTES

# Scratch that all threads share is interleaved whatever --numa says: a page or few in so small a model.
SCRATCH_PAGES = 4

# Of ranges, by what --numa asks for; without a policy a page lies where it is touched first. What is too small to be
# split may go round all nodes.
POLICIES = {
    "local": set(), "split": {"prefer", "bind", "interleave"}, "interleaved": {"interleave"},
    "auto": {"prefer", "bind", "interleave"}}


@dataclass(frozen=True)
class Mapping:
    """A line of numa_maps: a range of memory, the policy it has itself, the nodes of that, and its pages by node."""

    policy: str
    of: list[int]
    pages: dict[int, int]
    is_anonymous: bool


def mappings(text: str) -> list[Mapping]:
    found = []
    for line in text.splitlines():
        # A policy may have flags: prefer=static:0.
        match = re.match(r"\S+ ([a-z]+)[^ :]*:?(\S*)", line)
        if match:
            pages = {int(node): int(count) for node, count in re.findall(r" N(\d+)=(\d+)", line)}
            found.append(Mapping(match[1], numbers(match[2]), pages, " file=" not in line))
    return found


def check_pages(topology: Topology, facts: Facts) -> Verdict:
    verdict = Verdict("pages")
    parts = []
    for run in RUNS:
        if topology.refuses(run.placement):
            judge_refusal(run, facts, verdict)
            parts.append(f"{run.placement} refused")
            continue
        lines = mappings(facts.text(f"{run.name}.maps"))
        if not lines:
            verdict.fault(run.name, "numa_maps of the run", "none")
            continue
        own = [line for line in lines if line.policy != "default"]
        judge_policies(run, own, verdict)
        judge_nodes(run, topology, lines, verdict)
        placed = judge_placement(run, topology, own, verdict)
        parts.append(f"{run.placement} {'+'.join(str(placed[node]) for node in topology.memory_nodes)}")
    verdict.summary = ", ".join(parts)
    return verdict


def judge_refusal(run: Run, facts: Facts, verdict: Verdict) -> None:
    """A placement that is asked for by name and cannot be had is an error; `auto` goes on without."""
    status, errors = facts.status(run.name), facts.said(run)
    if status != "1" or len(errors) != 1 or "NUMA" not in errors[0]:
        where, found = f"{run.name}, --numa {run.placement}", f"status {status} and {errors}"
        verdict.fault(where, "status 1 and one sentence about NUMA", found)


def judge_policies(run: Run, own: list[Mapping], verdict: Verdict) -> None:
    """A range with a policy has its pages where that says."""
    for line in own:
        if set(line.pages) - set(line.of):
            verdict.fault(f"{run.name}, a range with {line.policy}", f"its pages on nodes {line.of}", line.pages)
        if line.policy == "interleave":
            shares = [line.pages.get(node, 0) for node in line.of]
            # Pages of each piece go round one by one.
            if max(shares) - min(shares) > PIECES:
                verdict.fault(f"{run.name}, an interleaved range", f"pages that differ by {PIECES}", line.pages)


def judge_nodes(run: Run, topology: Topology, lines: list[Mapping], verdict: Verdict) -> None:
    """Nothing lies on a node whose memory the program may not use."""
    used = {node for line in lines if line.is_anonymous for node in line.pages}
    outside = used - set(topology.memory_nodes)
    verdict.expect(f"{run.name}, nodes of its memory beside {topology.memory_nodes}", [], sorted(outside))


def judge_placement(run: Run, topology: Topology, own: list[Mapping], verdict: Verdict) -> Counter[int]:
    """The run's large memory has the placement that was asked for; returns its pages by node."""
    where, nodes = f"{run.name}, --numa {run.placement}", topology.memory_nodes
    placed: Counter[int] = Counter()
    for line in own:
        placed.update(line.pages)
    if len(nodes) == 1:
        return placed
    allowed = set() if "mbind" in topology.refused else POLICIES[run.placement]
    found = {line.policy for line in own if sum(line.pages.values()) > SCRATCH_PAGES}
    if not found <= allowed:
        verdict.fault(f"{where}, policies", sorted(allowed), sorted(found))
    if allowed and run.placement == "split" and not found & {"prefer", "bind"}:
        verdict.fault(f"{where}, policies", "a node's own ranges", sorted(found))
    if allowed:
        judge_shares(where, placed, topology, verdict)
    return placed


def judge_shares(where: str, placed: Counter[int], topology: Topology, verdict: Verdict) -> None:
    total, nodes = sum(placed.values()), topology.memory_nodes
    if total < LEAST_PAGES:
        verdict.fault(where, f"{LEAST_PAGES} pages with a policy at least", total)
    # Where ranges follow threads, a node without any may have none, and one with fewer of them has less.
    for node in set(nodes) & set(topology.allowed_nodes):
        share = total // len(nodes)
        if placed[node] < share // 4:
            verdict.fault(f"{where}, pages of node {node}", f"about {share}", placed[node])
