"""What the comparison finds on this machine: cores, libraries, and an environment that favours nobody."""

import glob
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# Variables that choose kernels, threads or allocators. Whoever set them had something else in mind.
TUNING = (
    "ATEN_", "BLIS_", "DNNL_", "GOMP_", "GOTO_", "GPT2_", "KMP_", "LD_PRELOAD", "MALLOC_", "MKL_", "OMP_", "ONEDNN_",
    "OPENBLAS_", "TCMALLOC_", "THP_MEM_", "TORCHINDUCTOR_",
)


class ComparisonError(Exception):
    """What was expected, what was found, and where, in one sentence."""


def neutral_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(TUNING)}


def physical_cores() -> int:
    """Cores that this process may use; hardware threads of one core count once."""
    cores = set()
    for processor in os.sched_getaffinity(0):
        path = Path(f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list")
        cores.add(path.read_text().strip() if path.exists() else str(processor))
    return len(cores)


def processor_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def busy_seconds() -> float:
    """Processor time that everything has taken since the start, the host of a virtual machine included."""
    user, nice, system, _idle, _wait, interrupts, soft, stolen, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


def find_library(*names: str) -> str | None:
    """The first that exists of files below the folders of the system's libraries."""
    folders = ("/usr/lib/*/", "/usr/lib64/", "/usr/lib/")
    return next((path for name in names for folder in folders for path in sorted(glob.glob(folder + name))), None)


def find_tcmalloc() -> str | None:
    return find_library("libtcmalloc_minimal.so.4")


def find_openblas() -> str | None:
    return find_library("openblas-pthread/libopenblas.so.0", "libopenblas.so.0")


def find_blis() -> str | None:
    # The threads of OpenMP outlive a call, those of BLIS's own threading do not.
    return find_library("blis-openmp/libblis.so.*", "libblis.so.*")


def compile_sgemm(folder: str) -> str:
    """Returns the path of the executable, made where it is older than its source."""
    source, executable = HERE / "sgemm.c", Path(folder, "sgemm")
    if executable.exists() and executable.stat().st_mtime > source.stat().st_mtime:
        return str(executable)
    names = (os.environ.get("CC") or "cc", "cc", "clang", "gcc")
    compiler = next((name for name in names if shutil.which(name)), None)
    if compiler is None:
        raise ComparisonError("expected a C compiler (cc, clang, gcc or $CC), found none: run scripts/setup --peers")
    executable.parent.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-o", str(executable), str(source), "-ldl"]
    compiled = subprocess.run(command, capture_output=True, text=True)
    if compiled.returncode != 0:
        raise ComparisonError(f"{source} does not compile with {compiler}:\n{compiled.stderr}")
    return str(executable)
