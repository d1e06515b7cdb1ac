"""What is compared: each workload's sizes, how long it is measured, and the contenders that do it."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from contenders import OURS, Contender, Run, expect, read_products, read_steps, read_suite, read_validation
from inputs import GPT2_124M, SMALL, Sizes, check_sizes, random_inputs
from machine import HERE, ComparisonError, compile_sgemm

GEMM_SECONDS = 10  # as long as gpt2-bench measures its products
HUGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}  # PyTorch then asks for them wherever a tensor is large


@dataclass(frozen=True)
class Settings:
    """Programs and files; the help of `compare` says what each is."""

    threads: int
    python: str
    gpt2: str
    gpt2_bench: str
    tcmalloc: str | None
    openblas: str | None
    blis: str | None
    cache: str
    checkpoint: str | None
    train_data: str | None


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    work: str  # what the milliseconds are of
    contenders: "Callable[[Workload, Settings], list[Contender]]"  # ours is the last
    sizes: Sizes = GPT2_124M
    batch_size: int = 4
    sequence_length: int = 64
    gradient_clip: float = 0  # the largest norm of the gradient; 0 is any
    rounds: int = 3
    steps: int = 0  # of each process, warm-up included; 0 where it decides by itself
    warm_up: int = 0
    precision: str = "fp32"
    shows_memory: bool = False
    # Where ours prints no losses of the same batches: a run, not timed, that does.
    losses: "Callable[[Workload, Settings], Contender] | None" = None

    def with_limits(self, rounds: int | None, steps: int | None, warm_up: int | None) -> "Workload":
        """The same with other lengths; those that do not apply are left out."""
        result = replace(self, rounds=rounds or self.rounds)
        if self.steps:
            result = replace(
                result, steps=steps or self.steps, warm_up=self.warm_up if warm_up is None else warm_up)
            if result.steps <= result.warm_up:
                raise ComparisonError(
                    f"expected more steps than the {result.warm_up} of warm-up for {self.name}, found {result.steps}")
        return result


# MARK: Contenders

def inputs(workload: Workload, settings: Settings) -> tuple[str, str]:
    """Paths of checkpoint and tokens: those given where the model is GPT-2 124M, else random ones."""
    given = (settings.checkpoint, settings.train_data) if workload.sizes == GPT2_124M else (None, None)
    if given[0]:
        check_sizes(given[0], workload.sizes)
    if all(given):
        return given
    return tuple(path or made for path, made in zip(
        given, random_inputs(workload.sizes, settings.python, settings.cache)))


def train_arguments(workload: Workload, settings: Settings, threads: int) -> list[str]:
    """Options that `gpt2 train` and pytorch.py share."""
    checkpoint, tokens = inputs(workload, settings)
    return [
        "--checkpoint", checkpoint, "--train-data", tokens, "--batch-size", str(workload.batch_size),
        "--sequence-length", str(workload.sequence_length), "--steps", str(workload.steps), "--threads", str(threads),
        "--gradient-clip", str(workload.gradient_clip),
    ]


def pytorch(
        workload: Workload, settings: Settings, field: str = "milliseconds",
        modes: tuple[str, ...] = ("eager", "compiled"), huge_pages: bool = False,
        extra: tuple[str, ...] = (), precision: str = "fp32") -> list[Contender]:
    """PyTorch in each mode, with each allocator."""
    if not settings.tcmalloc:
        raise ComparisonError("expected libtcmalloc_minimal.so.4, found none: run scripts/setup --peers")
    check_python(settings)

    def read(folder: Path, preloads: bool) -> Run:
        run = read_steps(folder, "stdout", workload.warm_up, field)
        expect("the allocator", "tcmalloc" if preloads else "default", run.details["allocator"])
        expect("threads", settings.threads, run.details["threads"])
        expect("the largest norm of the gradient", workload.gradient_clip, run.details["gradient_clip"])
        expect("the precision", precision, run.details["precision"])
        return run

    preload = {"LD_PRELOAD": settings.tcmalloc}
    allocators = [("", "", {}), ("-tcmalloc", ", tcmalloc", preload)]
    if huge_pages:
        allocators.append(("-tcmalloc-huge", ", tcmalloc, huge pages", {**preload, **HUGE_PAGES}))
    result = []
    for mode in modes:
        command = [settings.python, str(HERE / "pytorch.py"), *train_arguments(workload, settings, settings.threads)]
        command += [*extra, *["--compile"] * (mode == "compiled"), *["--bf16"] * (precision == "bf16")]
        prefix, autocast = ("autocast-", ", autocast") if precision == "bf16" else ("", "")
        for key, name, environment in allocators:
            result.append(Contender(
                prefix + mode + key, f"PyTorch {mode}{autocast}{name}", command, partial(read, preloads="LD_PRELOAD" in environment),
                {**thread_variables(settings), **environment}))
    return result


def thread_variables(settings: Settings) -> dict[str, str]:
    return {name: str(settings.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}


def check_python(settings: Settings) -> None:
    question = "import importlib.util as u, sys; sys.exit(not (u.find_spec('torch') and u.find_spec('numpy')))"
    try:
        answer = subprocess.run([settings.python, "-c", question]).returncode
    except OSError as error:
        raise ComparisonError(f"expected a Python at {settings.python}, found none: {error.strerror}") from error
    if answer != 0:
        raise ComparisonError(
            f"expected torch and numpy in {settings.python}, found not both: run scripts/setup --peers")


def gpt2_train(
        workload: Workload, settings: Settings, key: str = OURS, name: str = "gpt2",
        threads: int | None = None) -> Contender:
    command = executable(settings.gpt2) + ["train"]
    command += train_arguments(workload, settings, threads or settings.threads)
    command += ["--precision", workload.precision, "--val-every", "0", "--sample-every", "0", "--log", "log.jsonl"]
    return Contender(key, name, command, partial(read_steps, file="log.jsonl", warm_up=workload.warm_up))


def gpt2_bench(
        workload: Workload, settings: Settings, suite: str, read: Callable[..., Run], key: str = OURS,
        name: str = "gpt2") -> Contender:
    command = executable(settings.gpt2_bench)
    suites = subprocess.run([*command, "--help"], capture_output=True, text=True).stdout
    if f" {suite} " not in suites:
        raise ComparisonError(f"expected a suite '{suite}' of {command[0]}, found none: run scripts/build")
    command += ["--suite", suite, "--batch-size", str(workload.batch_size), "--sequence-length",
                str(workload.sequence_length), "--threads", str(settings.threads), "--json", "report.json"]
    command += ["--precision", workload.precision]
    if workload.steps:
        # The program has a warm-up of its own.
        command += ["--steps", str(workload.steps - workload.warm_up)]
    return Contender(key, name, command, partial(read, file="report.json"))


def executable(path: str) -> list[str]:
    if not os.access(path, os.X_OK):
        raise ComparisonError(f"expected our executable at {path}, found none: run scripts/build")
    return [os.path.abspath(path)]


# MARK: Workloads

def training(workload: Workload, settings: Settings) -> list[Contender]:
    return [*pytorch(workload, settings), gpt2_train(workload, settings)]


def mixed_training(workload: Workload, settings: Settings) -> list[Contender]:
    """Against autocast and our own float32; where the model is small, against PyTorch's float32, too, which is
    then its faster precision."""
    theirs = pytorch(workload, settings, precision="bf16")
    if workload.sizes == SMALL:
        theirs += pytorch(workload, settings)
    own = gpt2_train(replace(workload, precision="fp32"), settings, "gpt2-fp32", "gpt2, fp32")
    return [*theirs, own, gpt2_train(workload, settings)]


def evaluation(workload: Workload, settings: Settings, key: str = OURS, name: str = "gpt2") -> Contender:
    return gpt2_bench(workload, settings, "evaluate", partial(read_suite, suite="evaluate"), key, name)


def forward(workload: Workload, settings: Settings) -> list[Contender]:
    return [*pytorch(workload, settings, extra=("--forward-only",)), evaluation(workload, settings)]


def mixed_forward(workload: Workload, settings: Settings) -> list[Contender]:
    theirs = pytorch(workload, settings, extra=("--forward-only",), precision="bf16")
    own = evaluation(replace(workload, precision="fp32"), settings, "gpt2-fp32", "gpt2, fp32")
    return [*theirs, own, evaluation(workload, settings)]


def forward_loss(workload: Workload, settings: Settings) -> Contender:
    """Our loss of the first batch that PyTorch sees, from a validation of the same checkpoint."""
    arguments = train_arguments(replace(workload, steps=1), settings, settings.threads)
    tokens = arguments[arguments.index("--train-data") + 1]
    command = executable(settings.gpt2) + ["train", *arguments, "--val-data", tokens]
    command += ["--precision", workload.precision, "--val-every", "2", "--val-batches", "1", "--sample-every", "0"]
    return Contender(
        OURS, "gpt2, loss", [*command, "--log", "log.jsonl"], partial(read_validation, file="log.jsonl"))


def adamw(workload: Workload, settings: Settings) -> list[Contender]:
    # torch.compile is given the model, not the optimizer, whose fused kernel is one call.
    theirs = pytorch(workload, settings, field="update_ms", modes=("eager",), huge_pages=True)
    return [*theirs, gpt2_bench(workload, settings, "step", partial(read_suite, suite="step", field="update_ms"))]


def scaling(workload: Workload, settings: Settings) -> list[Contender]:
    one = gpt2_train(workload, settings, "one-thread", "gpt2, 1 thread", threads=1)
    return [one, gpt2_train(workload, settings)]


def gemm(workload: Workload, settings: Settings) -> list[Contender]:
    check_python(settings)
    V, C = workload.sizes.vocabulary, workload.sizes.channels
    rows = workload.batch_size * workload.sequence_length
    padded = -(-V // 128) * 128  # logits have padding between their rows
    layers = [
        f"qkv:{3 * C}:{C}:{3 * C}", f"attproj:{C}:{C}:{C}", f"fc:{4 * C}:{C}:{4 * C}", f"fcproj:{C}:{4 * C}:{C}",
        f"LM head:{V}:{C}:{padded}",
    ]
    arguments = [str(settings.threads), str(rows), str(GEMM_SECONDS), *layers]
    read = partial(read_products, threads=settings.threads)
    ours = gpt2_bench(workload, settings, "gemm", read)
    environment = {**thread_variables(settings), **HUGE_PAGES}
    if workload.precision == "bf16":
        command = [settings.python, str(HERE / "sgemm.py"), *arguments, "--bf16"]
        return [Contender("onednn", "oneDNN (PyTorch)", command, partial(read, file="stdout"), environment), ours]
    result = []
    for key, name, library in (("openblas", "OpenBLAS", settings.openblas), ("blis", "BLIS", settings.blis)):
        if not library:
            raise ComparisonError(f"expected a shared library of {name}, found none: run scripts/setup --peers")
        command = [compile_sgemm(settings.cache), library, *arguments]
        result.append(Contender(key, name, command, partial(read, file="stdout")))
    result.append(Contender(
        "mkl", "MKL (PyTorch)", [settings.python, str(HERE / "sgemm.py"), *arguments], partial(read, file="stdout"),
        environment))
    return [*result, ours]


WORKLOADS = (
    Workload("training", "training step, GPT-2 124M, B=4 T=64", "a step", training, rounds=5, steps=6, warm_up=2,
             shows_memory=True),
    Workload("training-clipped", "clipped training step (norm 1), GPT-2 124M, B=4 T=64", "a step", training,
             gradient_clip=1, rounds=5, steps=6, warm_up=2, shows_memory=True),
    Workload("training-1024", "training step, GPT-2 124M, B=4 T=1024", "a step", training, sequence_length=1024,
             steps=3, warm_up=1, shows_memory=True),
    Workload("small", "training step, 4 layers, 4 heads, 128 channels, V=65, B=12 T=64", "a step", training,
             sizes=SMALL, batch_size=12, rounds=5, steps=120, warm_up=20, shows_memory=True),
    Workload("small-clipped", "clipped training step (norm 1), 4 layers, 4 heads, 128 channels, V=65, B=12 T=64",
             "a step", training, sizes=SMALL, batch_size=12, gradient_clip=1, rounds=5, steps=120, warm_up=20,
             shows_memory=True),
    Workload("forward", "forward pass and loss, GPT-2 124M, B=4 T=1024", "a batch", forward, sequence_length=1024,
             steps=4, warm_up=1, losses=forward_loss),
    Workload("adamw", "AdamW over GPT-2 124M, within a training step of B=4 T=64", "an update", adamw,
             steps=6, warm_up=2),
    Workload("scaling", "training step, GPT-2 124M, B=4 T=64, against one thread", "a step", scaling,
             steps=5, warm_up=2),
    Workload("training-bf16", "training step in bf16, GPT-2 124M, B=4 T=64", "a step", mixed_training,
             precision="bf16", rounds=5, steps=6, warm_up=2, shows_memory=True),
    Workload("training-bf16-1024", "training step in bf16, GPT-2 124M, B=4 T=1024", "a step", mixed_training,
             precision="bf16", sequence_length=1024, steps=3, warm_up=1, shows_memory=True),
    Workload("small-bf16", "training step in bf16, 4 layers, 4 heads, 128 channels, V=65, B=12 T=64", "a step",
             mixed_training, sizes=SMALL, batch_size=12, precision="bf16", rounds=5, steps=120, warm_up=20,
             shows_memory=True),
    Workload("forward-bf16", "forward pass and loss in bf16, GPT-2 124M, B=4 T=1024", "a batch", mixed_forward,
             precision="bf16", sequence_length=1024, steps=4, warm_up=1, losses=forward_loss),
    Workload("scaling-bf16", "training step in bf16, GPT-2 124M, B=4 T=64, against one thread", "a step", scaling,
             precision="bf16", steps=5, warm_up=2),
    Workload("gemm", "matrix products of GPT-2 124M, three passes, M=256", "all products", gemm),
    Workload("gemm-4096", "matrix products of GPT-2 124M, three passes, M=4096", "all products", gemm,
             sequence_length=1024),
    Workload("gemm-bf16", "matrix products of GPT-2 124M in bf16, three passes, M=256", "all products", gemm,
             precision="bf16"),
    Workload("gemm-bf16-4096", "matrix products of GPT-2 124M in bf16, three passes, M=4096", "all products", gemm,
             sequence_length=1024, precision="bf16"),
)
