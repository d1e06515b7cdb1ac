#!/usr/bin/env python3
"""Trains GPT-2 with PyTorch on the CPU and prints one JSON object a step.

The same work as `gpt2 train`: the same checkpoint, the same consecutive batches, the same clipping, the same AdamW.
The loss of a step is taken before its update. Times are wall-clock milliseconds.
"""

import argparse
import json
import math
import resource
import statistics
import time

import numpy
import torch
from torch import nn
from torch.nn import functional

from files import Configuration, read_checkpoint, read_configuration, read_tokens
from onednn import AUTOCAST, kernels_of_bf16


class Block(nn.Module):
    def __init__(self, configuration: Configuration):
        super().__init__()
        C = configuration.channels
        self.heads = configuration.heads
        self.attention_norm = nn.LayerNorm(C, eps=1e-5)
        self.qkv = nn.Linear(C, 3 * C)
        self.attention_projection = nn.Linear(C, C)
        self.feedforward_norm = nn.LayerNorm(C, eps=1e-5)
        self.expansion = nn.Linear(C, 4 * C)
        self.contraction = nn.Linear(4 * C, C)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        B, T, C = x.shape
        # (B, T, 3C) -> three of (B, NH, T, hs)
        qkv = self.qkv(self.attention_norm(x)).view(B, T, 3, self.heads, C // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.attention_projection(mixed.transpose(1, 2).reshape(B, T, C))
        hidden = functional.gelu(self.expansion(self.feedforward_norm(x)), approximate="tanh")
        return x + self.contraction(hidden)


class GPT2(nn.Module):
    def __init__(self, configuration: Configuration):
        super().__init__()
        self.token_embedding = nn.Embedding(configuration.vocabulary, configuration.channels)
        self.position_embedding = nn.Embedding(configuration.context, configuration.channels)
        self.blocks = nn.ModuleList(Block(configuration) for _ in range(configuration.layers))
        self.final_norm = nn.LayerNorm(configuration.channels, eps=1e-5)

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of `targets` (B, T) after `inputs` (B, T)."""
        positions = torch.arange(inputs.shape[1])
        x = self.token_embedding(inputs) + self.position_embedding(positions)
        for block in self.blocks:
            x = block(x)
        logits = functional.linear(self.final_norm(x), self.token_embedding.weight)
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def slots(self) -> dict[str, list[nn.Parameter]]:
        """The parameters by their names in a checkpoint: one a layer, or a single one."""
        modules = {
            "ln1": "attention_norm", "qkv": "qkv", "attproj": "attention_projection",
            "ln2": "feedforward_norm", "fc": "expansion", "fcproj": "contraction",
        }
        slots = {
            "wte": [self.token_embedding.weight], "wpe": [self.position_embedding.weight],
            "lnfw": [self.final_norm.weight], "lnfb": [self.final_norm.bias],
        }
        for name, module in modules.items():
            slots[name + "w"] = [getattr(block, module).weight for block in self.blocks]
            slots[name + "b"] = [getattr(block, module).bias for block in self.blocks]
        return slots

    @torch.no_grad()
    def load(self, path: str) -> None:
        """Copies a checkpoint in; the rows that pad its vocabulary are left out."""
        slots = self.slots()
        for name, values in read_checkpoint(path):
            layers = [values] if len(slots[name]) == 1 and values.ndim == slots[name][0].ndim else values
            for parameter, layer in zip(slots[name], layers, strict=True):
                parameter.copy_(torch.from_numpy(layer[: parameter.shape[0]]))

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """N(0, 0.02), residual projections divided by sqrt(2 L); layer norms stay as they are made."""
        torch.manual_seed(seed)
        for name, parameters in self.slots().items():
            for parameter in parameters:
                if not name.startswith("ln"):
                    residual = name in ("attprojw", "fcprojw")
                    deviation = 0.02 / math.sqrt(2 * len(self.blocks)) if residual else 0.02
                    parameter.zero_() if name.endswith("b") else parameter.normal_(0, deviation)


class Batches:
    """Consecutive (inputs, targets), targets shifted by one; from the start again at the end."""

    def __init__(self, tokens: numpy.ndarray, batch_size: int, sequence_length: int):
        self.tokens = torch.from_numpy(tokens)
        self.shape = (batch_size, sequence_length)
        self.count = batch_size * sequence_length
        self.position = 0
        if len(tokens) < self.count + 1:
            raise ValueError(f"expected at least {self.count + 1} tokens, found {len(tokens)}")

    def next(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self.position + self.count + 1 > len(self.tokens):
            self.position = 0
        window = self.tokens[self.position : self.position + self.count + 1]
        self.position += self.count
        return window[:-1].view(self.shape), window[1:].view(self.shape)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--checkpoint", help="llm.c checkpoint, version 1 or 3; without it, random weights")
    parser.add_argument("--train-data", help="raw int32 or headed uint16 tokens; without it, random tokens")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--sequence-length", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, help="PyTorch's own choice if not given")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--beta1", type=float, default=0.9)
    parser.add_argument("--beta2", type=float, default=0.999)
    parser.add_argument("--epsilon", type=float, default=1e-8)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--gradient-clip", type=float, default=0.0, help="largest norm of the gradient; 0 is any")
    parser.add_argument("--compile", action="store_true", help="torch.compile the model")
    parser.add_argument("--bf16", action="store_true", help="products in bfloat16, by autocast")
    parser.add_argument("--forward-only", action="store_true", help="loss under inference_mode, no training")
    random = parser.add_argument_group("the model, where there is no checkpoint")
    random.add_argument("--layers", type=int, default=12)
    random.add_argument("--heads", type=int, default=12)
    random.add_argument("--channels", type=int, default=768)
    random.add_argument("--vocabulary", type=int, default=50257)
    random.add_argument("--context", type=int, default=1024)
    random.add_argument("--seed", type=int, default=1337)
    return parser.parse_args()


def make_model(options: argparse.Namespace) -> tuple[GPT2, Configuration]:
    if options.checkpoint:
        configuration, _ = read_configuration(options.checkpoint)
        model = GPT2(configuration)
        model.load(options.checkpoint)
    else:
        configuration = Configuration(
            options.layers, options.heads, options.channels, options.vocabulary, options.context)
        model = GPT2(configuration)
        model.initialise(options.seed)
    return model, configuration


def make_batches(options: argparse.Namespace, vocabulary: int) -> Batches:
    if options.train_data:
        tokens = read_tokens(options.train_data)
        if tokens.max(initial=0) >= vocabulary or tokens.min(initial=0) < 0:
            raise ValueError(f"expected token ids below {vocabulary} in {options.train_data}, found others")
    else:
        count = options.steps * options.batch_size * options.sequence_length + 1
        tokens = numpy.random.default_rng(options.seed).integers(vocabulary, size=count)
    return Batches(tokens, options.batch_size, options.sequence_length)


def peak_resident_bytes() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def allocator() -> str:
    with open("/proc/self/maps") as maps:
        return "tcmalloc" if "tcmalloc" in maps.read() else "default"


def main() -> None:
    options = parse_arguments()
    library_bytes = peak_resident_bytes()  # what importing PyTorch costs before there is a model
    kernels = {"kernels": kernels_of_bf16(AUTOCAST)} if options.bf16 else {}
    if options.threads:
        torch.set_num_threads(options.threads)
    model, configuration = make_model(options)
    batches = make_batches(options, configuration.vocabulary)
    loss_of = torch.compile(model) if options.compile else model
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(
        parameters, lr=options.learning_rate, betas=(options.beta1, options.beta2),
        eps=options.epsilon, weight_decay=options.weight_decay, fused=True)
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.bf16)

    totals = []
    for step in range(options.steps):
        start = time.perf_counter()
        inputs, targets = batches.next()
        if options.forward_only:
            with torch.inference_mode(), autocast:
                loss = loss_of(inputs, targets)
            forward = backward = time.perf_counter()
        else:
            with autocast:
                loss = loss_of(inputs, targets)
            forward = time.perf_counter()
            optimizer.zero_grad()
            loss.backward()
            backward = time.perf_counter()
            if options.gradient_clip:
                nn.utils.clip_grad_norm_(parameters, options.gradient_clip, foreach=True)
            optimizer.step()
        value = loss.item()
        end = time.perf_counter()
        totals.append(1e3 * (end - start))
        print(json.dumps({
            "event": "train", "step": step, "loss": value, "milliseconds": totals[-1],
            "forward_ms": 1e3 * (forward - start), "backward_ms": 1e3 * (backward - forward),
            "update_ms": 1e3 * (end - backward),
        }), flush=True)

    print(json.dumps({
        "event": "end", "steps": options.steps, "median_milliseconds": statistics.median(totals),
        "peak_resident_bytes": peak_resident_bytes(), "library_resident_bytes": library_bytes,
        "threads": torch.get_num_threads(), "allocator": allocator(), "torch": torch.__version__,
        "gradient_clip": options.gradient_clip, "precision": "bf16" if options.bf16 else "fp32", **kernels,
    }))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        raise SystemExit(f"pytorch.py: {error}")
