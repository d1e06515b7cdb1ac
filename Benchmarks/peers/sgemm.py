#!/usr/bin/env python3
"""Times PyTorch's matrix products, MKL's on x86-64 or in bfloat16 oneDNN's, in the shapes of GPT-2's linear layers.

The same work, order of work and output as sgemm.c, whose first lines describe them. The environment variable
THP_MEM_ALLOC_ENABLE=1 gives the tensors huge pages, as sgemm.c has them. In bfloat16 results are bfloat16, too.
"""

import argparse
import json
import re
import statistics
import sys
import time

import torch

from onednn import PRODUCT, kernels_of_bf16

PASSES = ("forward", "dinput", "dweight")
LEAST_ROUNDS, MOST_ROUNDS = 5, 50


def make_products(layer: str, rows: int, dtype: torch.dtype) -> dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """The operands and the result of each pass; y serves as dy."""
    _, outputs, inputs, stride = layer.split(":")
    outputs, inputs, stride = int(outputs), int(inputs), int(stride)

    def tensor(*shape: int) -> torch.Tensor:
        return torch.empty(*shape).uniform_(-0.1, 0.1).to(dtype)

    x, weight, y = tensor(rows, inputs), tensor(outputs, inputs), tensor(rows, stride)[:, :outputs]
    return {
        "forward": (x, weight.t(), y), "dinput": (y, weight, tensor(rows, inputs)),
        "dweight": (y.t(), x, tensor(outputs, inputs)),
    }


def check(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> None:
    """One row against double precision, within twice k·2⁻²⁴·Σ|a·b| (Higham 2002, section 3.1); the rounding of a
    result to bfloat16 adds 2⁻⁸ of that."""
    row, columns = a[-1].double(), b.double()
    rounding = 2.0**-8 if c.dtype == torch.bfloat16 else 0
    bound = (2 * len(row) * 2.0**-24 + rounding) * (row.abs() @ columns.abs())
    if not bool(((c[-1].double() - row @ columns).abs() <= bound).all()):
        raise ValueError("PyTorch's product is wrong")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("threads", type=int)
    parser.add_argument("rows", type=int, help="M")
    parser.add_argument("seconds", type=float, help="how long to go on measuring")
    parser.add_argument("layers", nargs="+", metavar="NAME:OUTPUTS:INPUTS:STRIDE")
    parser.add_argument("--bf16", action="store_true", help="operands and results are bfloat16")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    dtype = torch.bfloat16 if options.bf16 else torch.float32
    products, sizes = {}, {}
    for layer in options.layers:
        name, outputs, inputs, _ = layer.split(":")
        for label, product in make_products(layer, options.rows, dtype).items():
            products[name, label] = product
            sizes[name, label] = {"m": options.rows, "n": int(outputs), "k": int(inputs), "pass": label}
            a, b, c = product
            torch.mm(a, b, out=c)
            check(a, b, c)

    times: dict[tuple[str, str], list[float]] = {key: [] for key in products}
    start = time.perf_counter()
    for number in range(MOST_ROUNDS):
        if number >= LEAST_ROUNDS and time.perf_counter() - start > options.seconds:
            break
        for key, (a, b, c) in products.items():
            before = time.perf_counter()
            torch.mm(a, b, out=c)
            times[key].append(1e3 * (time.perf_counter() - before))

    name = "Intel.* MKL-DNN v" if options.bf16 else "Math Kernel Library Version "
    version = re.search(name + r"(\S+)", torch.__config__.show())
    library = "oneDNN" if options.bf16 else "MKL"
    library = f"{library} {version[1]}" if version else f"a library that is not {library}"
    kernels = {"kernels": kernels_of_bf16(PRODUCT)} if options.bf16 else {}
    print(json.dumps({
        "machine": {
            "library": f"{library} of PyTorch {torch.__version__}", "threads": torch.get_num_threads(), **kernels,
        },
        "results": [{
            "suite": "gemm", "name": " ".join(key),
            "milliseconds": {"min": min(samples), "median": statistics.median(samples), "max": max(samples)},
            **sizes[key],
        } for key, samples in times.items()],
    }))


if __name__ == "__main__":
    main()
