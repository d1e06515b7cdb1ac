"""The machines that scripts/numa-machine emulates, and what the programs should see of each."""

import math
from dataclasses import dataclass, field


def numbers(text: str) -> list[int]:
    """Of a list as the kernel writes it: "0-3,6" is 0, 1, 2, 3 and 6."""
    found: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


# Of a machine: its file system takes 120, twice while that is unpacked, and tests fill more than half of the rest.
LEAST_MEBIBYTES = 1024


@dataclass(frozen=True)
class Node:
    cpus: str
    mebibytes: int = 512


def evenly(nodes: int, cpus: int) -> tuple[Node, ...]:
    share, mebibytes = cpus // nodes, max(512, LEAST_MEBIBYTES // nodes)
    return tuple(Node(f"{node * share}-{node * share + share - 1}", mebibytes) for node in range(nodes))


@dataclass(frozen=True)
class Topology:
    """One machine, and what is done to it before the programs run: `manner`, as the script init takes it."""

    name: str
    title: str
    nodes: tuple[Node, ...]
    # Sockets, dies in each, cores in each, threads on each.
    shape: tuple[int, int, int, int] = (2, 1, 4, 1)
    # (from, to) and back; 20 unless it is said.
    distances: dict[tuple[int, int], int] = field(default_factory=dict)
    manner: tuple[str, str] | tuple[()] = ()

    def value(self, manner: str) -> str:
        return self.manner[1] if self.manner and self.manner[0] == manner else ""

    @property
    def online(self) -> list[int]:
        return [cpu for cpu in range(math.prod(self.shape)) if cpu not in numbers(self.value("offline"))]

    @property
    def nodes_with_cpus(self) -> list[int]:
        return [index for index, node in enumerate(self.nodes) if node.cpus]

    @property
    def nodes_with_memory(self) -> list[int]:
        return [index for index, node in enumerate(self.nodes) if node.mebibytes]

    @property
    def sockets(self) -> int:
        return len({cpu // math.prod(self.shape[1:]) for cpu in self.online})

    def core(self, cpu: int) -> int:
        """The lowest CPU of the same core."""
        return cpu - cpu % self.shape[3]

    def die(self, cpu: int) -> int:
        return cpu // (self.shape[2] * self.shape[3])

    @property
    def online_cores(self) -> int:
        return len({self.core(cpu) for cpu in self.online})

    @property
    def allowed(self) -> list[int]:
        """Where the programs may run."""
        return numbers(self.value("mask") or self.value("cpuset").partition("/")[0]) or self.online

    @property
    def cores(self) -> set[int]:
        """Of the CPUs where the programs may run."""
        return {self.core(cpu) for cpu in self.allowed}

    @property
    def allowed_nodes(self) -> list[int]:
        """Nodes with CPUs where the programs may run."""
        return [index for index, node in enumerate(self.nodes) if set(numbers(node.cpus)) & set(self.allowed)]

    @property
    def memory_nodes(self) -> list[int]:
        """Nodes whose memory the programs may use."""
        return numbers(self.value("cpuset").partition("/")[2]) or self.nodes_with_memory

    @property
    def quota(self) -> float | None:
        value = self.value("quota")
        return int(value) / 100_000 if value else None

    @property
    def refused(self) -> list[str]:
        return self.value("refuse").split(",")

    def refuses(self, placement: str) -> bool:
        """Whether a run that asks for this placement has to end, because the system does not place memory."""
        return "mbind" in self.refused and placement in ("split", "interleaved")

    @property
    def default_threads(self) -> int:
        return min(len(self.cores), math.ceil(self.quota)) if self.quota else len(self.cores)

    def distance(self, one: int, other: int) -> int:
        if one == other:
            return 10
        return self.distances.get((one, other)) or self.distances.get((other, one)) or 20


TWO = evenly(2, 8)
FOUR = evenly(4, 8)

TOPOLOGIES = (
    Topology("small", "2 nodes of 2 CPUs: what CI runs", evenly(2, 4), shape=(2, 1, 2, 1)),
    Topology("nodes-1", "1 node of 8 CPUs", evenly(1, 8), shape=(1, 1, 8, 1)),
    Topology("nodes-2", "2 nodes of 4 CPUs, each a socket", TWO),
    Topology("nodes-4", "4 nodes of 2 CPUs, two a socket", FOUR, shape=(2, 2, 2, 1)),
    Topology("nodes-8", "8 nodes of 1 CPU, four a socket", evenly(8, 8), shape=(2, 4, 1, 1)),
    Topology("smt", "2 sockets of 2 cores of 2 threads, each a node", TWO, shape=(2, 1, 2, 2)),
    Topology("no-memory", "a node that has CPUs and no memory", (Node("0-3", LEAST_MEBIBYTES), Node("4-7", 0))),
    Topology("no-cpus", "a node that has memory and no CPUs", (*TWO, Node(""))),
    Topology("offline", "a CPU that is offline", TWO, manner=("offline", "5")),
    Topology(
        "distances", "nodes at different distances", FOUR, shape=(2, 2, 2, 1),
        distances={(0, 1): 12, (2, 3): 12, (0, 3): 32, (1, 2): 32}),
    Topology("mask", "an affinity mask of one node", TWO, manner=("mask", "4-7")),
    Topology(
        "cpuset", "a cpuset of CPUs and memory of two nodes of four", FOUR, shape=(2, 2, 2, 1),
        manner=("cpuset", "2-5/1-2")),
    Topology("quota", "a quota of 2.5 CPUs", TWO, manner=("quota", "250000")),
    Topology("mbind-refused", "mbind refused", TWO, manner=("refuse", "mbind")),
    Topology(
        "container", "all calls for NUMA refused, as containers do", TWO,
        manner=("refuse", "mbind,get_mempolicy,set_mempolicy,move_pages")),
    Topology("affinity-refused", "sched_setaffinity refused", TWO, manner=("refuse", "sched_setaffinity")),
)
