#!/usr/bin/env python3
"""Writes a GPT-2 checkpoint with random weights (llm.c's version 3), and tokens to train it on."""

import argparse

from files import Configuration, write_random_checkpoint, write_random_tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="the checkpoint to write")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--channels", type=int, default=768)
    parser.add_argument("--vocabulary", type=int, default=50257)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--tokens", metavar="FILE", help="also write uniformly random tokens, as raw int32")
    parser.add_argument("--token-count", type=int, default=1 << 20)
    options = parser.parse_args()
    if options.channels % options.heads:
        parser.error(f"expected channels to be a multiple of heads, found {options.channels} and {options.heads}")
    configuration = Configuration(
        options.layers, options.heads, options.channels, options.vocabulary, options.context)
    write_random_checkpoint(options.path, configuration, options.seed)
    if options.tokens:
        write_random_tokens(options.tokens, options.token_count, options.vocabulary, options.seed)


if __name__ == "__main__":
    main()
