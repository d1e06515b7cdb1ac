"""Which kernels PyTorch takes for products of bfloat16."""

import os
import re
import subprocess
import sys

PRODUCT = "import torch; a = torch.ones(256, 768).bfloat16(); torch.mm(a, a.t())"
AUTOCAST = """
import torch
with torch.autocast("cpu", dtype=torch.bfloat16):
    torch.nn.Linear(768, 768)(torch.ones(256, 768)).sum().backward()
"""


def kernels_of_bf16(program: str) -> str:
    """The kernels that oneDNN says it runs for `program`; an error where PyTorch takes another way."""
    environment = {**os.environ, "ONEDNN_VERBOSE": "1"}
    output = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True).stdout
    # A product's operands and result follow its kernel: src_bf16, wei_bf16.
    kernels = re.findall(r"primitive,exec,cpu,(?:matmul|inner_product),([^,]*bf16[^,]*),", output)
    if not kernels:
        raise ValueError("expected a product of bfloat16 by oneDNN's kernels for it, found none")
    return ", ".join(dict.fromkeys(kernels))
