"""Makes what an emulated machine boots, boots it and reads what it leaves."""

import io
import os
import re
import shutil
import struct
import subprocess
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

from topologies import Topology

HERE = Path(__file__).resolve().parent
EMULATOR = "qemu-system-x86_64"

# Tiny, as emulation is 50 to 100 times as slow as the processor; eight nodes have some pages each of the large tensors.
MODEL = "--layers 2 --heads 2 --channels 64 --vocabulary 1024 --context 32"
PARAMETERS = 167_680
TRAINING = (
    f"{MODEL} --train-data train.bin --token-type uint16 --sequence-length 32 --batch-size 4 --steps 4 --val-every 0 "
    "--sample-every 0 --output-format llmc-v1")


# Of the test runner: suites that ask the machine about itself, or whose work is its threads and pages.
TESTS = "MachineTests.(Arena|Topology|Slots|Team|Parallel)Tests"


class MachineError(Exception):
    """One sentence."""


@dataclass(frozen=True)
class Run:
    """A training run: its threads (none: as many as the program chooses) and where its memory is asked to lie."""

    name: str
    threads: int | None
    placement: str

    @property
    def options(self) -> str:
        threads = "" if self.threads is None else f" --threads {self.threads}"
        return f"{TRAINING} --numa {self.placement}{threads}"


# Together all placements and all numbers of threads, and no more: each run takes a boot's time.
RUNS = (Run("default", None, "auto"), Run("one", 1, "local"), Run("two", 2, "split"), Run("eight", 8, "interleaved"))


@dataclass(frozen=True)
class Facts:
    """What a machine left: its files by name, and how long it took."""

    files: dict[str, str]
    boot_seconds: float
    seconds: float

    def text(self, name: str) -> str:
        return self.files.get(name, "")

    def status(self, name: str) -> str:
        return self.text(f"{name}.status").strip()

    def said(self, run: Run) -> list[str]:
        """The run's lines on standard error, without those that the run on one thread with local memory has, too."""
        everywhere = self.text("one.err").splitlines() if run.name != "one" else []
        return [line for line in self.text(f"{run.name}.err").splitlines() if line not in everywhere]

    def death(self, name: str) -> str:
        """How a program ended that did not end well."""
        return " ".join([self.status(name), *self.text(f"{name}.err").splitlines(), *self.text("kernel").splitlines()])


def token_file() -> bytes:
    """Tokens that a linear congruential generator makes up, the same everywhere."""
    state, tokens = 1, []
    for _ in range(4096):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        tokens.append((state >> 16) & 0x3FF)
    return struct.pack(f"<{len(tokens)}H", *tokens)


def libraries(programs: list[Path]) -> list[Path]:
    """What the programs load, the loader included, by the names under which they find them."""
    found: set[str] = set()
    for program in programs:
        # Of a static one, which loads nothing, it says so and fails.
        listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        if "not found" in listing:
            raise MachineError(f"expected all libraries of {program}, found some missing: ldd {program} lists them")
        found.update(re.findall(r"(/\S+) \(0x", listing))
    return [Path(name) for name in sorted(found)]


def make_initramfs(programs: list[Path], runner: Path | None, suites: str, folder: Path) -> Path:
    """The file system in memory: the programs, the test runner if there is one, their libraries, busybox, our init."""
    tree = folder / "initramfs"
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("bin", "lib", "proc", "sys", "dev", "tmp", "data"):
        (tree / name).mkdir(parents=True)
    names = {program: program.name for program in programs} | ({runner: "tests"} if runner else {})
    for program, name in names.items():
        # Debug information would be most of what the guest unpacks.
        subprocess.run(["strip", "-o", tree / "bin" / name, program], check=True)
    busybox = Path(shutil.which("busybox"))
    for library in libraries([*names, busybox]):
        copy = tree / library.relative_to("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, copy)
    shutil.copy(busybox, tree / "bin/busybox")
    shutil.copy(HERE / "snapshot", tree / "bin/snapshot")
    shutil.copy(HERE / "init", tree / "init")
    subprocess.run(
        ["clang", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", tree / "lib/witness.so",
         HERE / "witness.c"], check=True)
    (tree / "data/train.bin").write_bytes(token_file())
    (tree / "runs").write_text("".join(f"{run.name} {run.options}\n" for run in RUNS))
    # This emulator reads what a masked load leaves out, too, and faults where AVX2's last part of a row ends a page.
    sizes = f"{MODEL} --batch-size 4 --sequence-length 32"
    (tree / "bench").write_text(f"--isa portable --suite {suites} --quick {sizes}\n")
    if runner:
        (tree / "tests").write_text(f"--testing-library swift-testing --filter {TESTS}\n")
    archive = folder / "initramfs.cpio"
    paths = "\0".join(sorted(str(path.relative_to(tree)) for path in tree.rglob("*")))
    with open(archive, "wb") as file:
        subprocess.run(
            ["cpio", "--create", "--null", "--format=newc", "--quiet", "--owner=+0:+0"], cwd=tree, input=paths.encode(),
            stdout=file, check=True)
    return archive


def arguments(topology: Topology, kernel: Path, initramfs: Path, folder: Path) -> list[str]:
    """The emulator's. TCG alone: it needs no rights, and machines that are virtual themselves have it."""
    sockets, dies, cores, threads = topology.shape
    memory = sum(node.mebibytes for node in topology.nodes)
    # Its processor has AVX2, no AVX-512. The kernel asks Intel's for dies and siblings in a way that is emulated, and
    # AMD's, which it would be, in another one.
    line = [
        EMULATOR, "-accel", "tcg,thread=multi", "-cpu", "max,vendor=GenuineIntel", "-M", "q35", "-nodefaults",
        "-display", "none", "-no-reboot", "-m", f"{memory}M",
        "-smp", f"{sockets * dies * cores * threads},sockets={sockets},dies={dies},cores={cores},threads={threads}"]
    for index, node in enumerate(topology.nodes):
        option = f"node,nodeid={index}"
        if node.cpus:
            option += f",cpus={node.cpus}"
        if node.mebibytes:
            line += ["-object", f"memory-backend-ram,id=memory{index},size={node.mebibytes}M"]
            option += f",memdev=memory{index}"
        line += ["-numa", option]
    if topology.distances:
        for one in range(len(topology.nodes)):
            for other in range(len(topology.nodes)):
                line += ["-numa", f"dist,src={one},dst={other},val={topology.distance(one, other)}"]
    # Without huge pages, one of which would be half of the tiny model, pages can be counted.
    words = ["console=ttyS0", "quiet", "panic=-1", "transparent_hugepage=never", "--", *topology.manner]
    return line + [
        "-kernel", str(kernel), "-initrd", str(initramfs),
        "-append", " ".join(words),
        "-serial", f"file:{folder / 'console'}", "-serial", f"file:{folder / 'results'}"]


def boot(topology: Topology, kernel: Path, initramfs: Path, folder: Path, limit: float) -> Facts:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    begin, clock = time.time(), time.monotonic()
    try:
        process = subprocess.run(
            arguments(topology, kernel, initramfs, folder), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=limit)
    except subprocess.TimeoutExpired:
        raise MachineError(
            f"expected {topology.name} to end within {limit:.0f} s, found it running: {folder / 'console'} says how "
            "far it came, --limit gives it longer") from None
    seconds = time.monotonic() - clock
    if process.returncode != 0:
        raise MachineError(f"{EMULATOR} ended with {process.returncode}: {process.stderr.strip()}")
    try:
        files = unpack((folder / "results").read_bytes())
    except (tarfile.TarError, EOFError, OSError) as error:
        raise MachineError(
            f"expected results from {topology.name}, found none ({error}): {folder / 'console'} says how far it "
            "came") from None
    for name, text in files.items():
        (folder / name).write_text(text)
    return Facts(files, float(files["begin"]) - begin, seconds)


def unpack(archive: bytes) -> dict[str, str]:
    files = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for member in tar:
            if member.isfile():
                files[os.path.basename(member.name)] = tar.extractfile(member).read().decode(errors="replace")
    return files


def train_here(program: Path, folder: Path) -> tuple[str, bytes]:
    """The same training on this machine: its log, and the model that it writes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "train.bin").write_bytes(token_file())
    process = subprocess.run(
        [program, "train", *TRAINING.split(), "--log", "log", "--output", "model"], cwd=folder,
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if process.returncode != 0:
        raise MachineError(f"the run on this machine ended with {process.returncode}: {process.stderr.strip()}")
    return (folder / "log").read_text(), (folder / "model").read_bytes()
