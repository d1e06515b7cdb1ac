"""What was measured, as Markdown and as JSON."""

import datetime
import statistics
from dataclasses import asdict

from contenders import Contender, Timing
from machine import processor_name
from workloads import Settings, Workload


class Result:
    """A workload's contenders after their rounds; `losses` are ours on the batches that all saw."""

    def __init__(self, workload: Workload, contenders: list[Contender], losses: list[float]):
        self.workload, self.losses = workload, losses
        *self.peers, self.ours = contenders

    def ratio(self, peer: Contender) -> float:
        return peer.timing().median / self.ours.timing().median

    def ratios_by_round(self, peer: Contender) -> list[float]:
        return [theirs.timing.median / own.timing.median for theirs, own in zip(peer.runs, self.ours.runs, strict=True)]

    def loss_difference(self, peer: Contender) -> float | None:
        differences = [abs(theirs - own) for run in peer.runs for theirs, own in zip(run.losses, self.losses)]
        return max(differences, default=None)

    # MARK: Markdown

    def markdown(self, settings: Settings) -> str:
        workload = self.workload
        torch = next((run.details["torch"] for peer in self.peers for run in peer.runs if "torch" in run.details), None)
        lines = [f"### {workload.name}: {workload.title}", ""]
        about = f"{datetime.date.today()}, {processor_name()}, {settings.threads} threads; "
        about += f"PyTorch {torch}; " if torch else ""
        about += f"{workload.rounds} round{'s' * (workload.rounds > 1)}"
        if workload.steps:
            about += f" of {workload.steps} steps, the first {workload.warm_up} of each not counted"
        blocks = ["\n".join([*lines, about + "."]), self.times_table(), self.ratios_table()]
        if self.ours.runs[0].parts:
            blocks.append(self.products_table())
        return "\n\n".join([*blocks, *self.notes()]) + "\n"

    def times_table(self) -> str:
        memory = self.workload.shows_memory
        digits = 0 if self.ours.timing().median >= 100 else 2
        rows = [["contender", f"ms {self.workload.work}: min", "median", "max"] + ["peak resident"] * memory
                + ["processors taken by others"]]
        for contender in [*self.peers, self.ours]:
            cells = [contender.name, *cells_of(contender.timing(), digits)]
            cells += [f"{contender.peak_bytes() / 1e9:.2f} GB"] * memory
            # Of the round that suffered most.
            rows.append(cells + [f"{max(run.disturbance for run in contender.runs):.0%}"])
        return table(rows)

    def ratios_table(self) -> str:
        memory, losses = self.workload.shows_memory, bool(self.losses)
        head = ["gpt2 is as fast as … times", "ratio of medians", "by round: min", "median", "max"]
        rows = [head + ["gpt2's peak over its"] * memory + ["largest loss difference"] * losses]
        for peer in self.peers:
            cells = [peer.name, f"{self.ratio(peer):.2f}", *cells_of(Timing.of(self.ratios_by_round(peer)), 2)]
            cells += [f"{self.ours.peak_bytes() / peer.peak_bytes():.2f}"] * memory
            difference = self.loss_difference(peer)
            cells += ["–" if difference is None else f"{difference:.2g}"] * losses
            rows.append(cells)
        return table(rows)

    def products_table(self) -> str:
        """GFLOP/s of medians, and their share of the peak that gpt2-bench measured in the same rounds."""
        peak = statistics.median(run.details["peak_gflops"] for run in self.ours.runs)
        order = [self.ours, *self.peers]
        rows = [["product", "M × N × K", "ms of gpt2: min", "median", "max"]
                + [f"{contender.name}: GFLOP/s (of peak)" for contender in order]
                + ["× the fastest peer", "by round: min", "median", "max"]]
        fractions: dict[str, list[float]] = {contender.key: [] for contender in order}
        for name, product in self.ours.runs[0].details["products"].items():
            flop = 2 * product["m"] * product["n"] * product["k"]
            cells = [name, f"{product['m']} × {product['n']} × {product['k']}", *cells_of(self.ours.part(name), 2)]
            for contender in order:
                rate = flop / contender.part(name).median / 1e6
                fractions[contender.key].append(rate / peak)
                cells.append(f"{rate:.0f} ({rate / peak:.0%})")
            rows.append(cells + self.ratios_to_fastest(name))
        means = [f"{statistics.mean(fractions[contender.key]):.0%}" for contender in order]
        rows.append(["mean share of peak", "", "", "", "", *means, "", "", "", ""])
        return f"Peak: {peak:.0f} GFLOP/s, all threads.\n\n" + table(rows)

    def ratios_to_fastest(self, name: str) -> list[str]:
        if not self.peers:
            return ["–"] * 4
        peer = min(self.peers, key=lambda peer: peer.part(name).median)
        by_round = [theirs.parts[name].median / own.parts[name].median
                    for theirs, own in zip(peer.runs, self.ours.runs, strict=True)]
        ratio = peer.part(name).median / self.ours.part(name).median
        return [f"{ratio:.2f} ({peer.name})", *cells_of(Timing.of(by_round), 2)]

    def notes(self) -> list[str]:
        result = []
        libraries = [run.details["library_resident_bytes"] for peer in self.peers for run in peer.runs
                     if "library_resident_bytes" in run.details]
        if libraries and self.workload.shows_memory:
            result.append(f"Of PyTorch's resident memory, {max(libraries) / 1e9:.2f} GB are its libraries, "
                          "before there is a model.")
        for contender in self.peers:
            details = contender.runs[-1].details
            if "library" in details:
                kernels = f", kernels for {details['kernels']}" if "kernels" in details else ""
                result.append(f"{contender.name}: {details['library']}{kernels}, {details['threads']} threads.")
            elif "kernels" in details:
                result.append(f"{contender.name}: oneDNN's kernels for products are {details['kernels']}.")
        if self.workload.name == "adamw":
            # Read: parameter, gradient, both moments; written: all but the gradient.
            rate = 28 * self.workload.sizes.parameters / self.ours.timing().median / 1e6
            read = statistics.median(run.details["read_gigabytes_per_second"] for run in self.ours.runs)
            result.append(f"At 28 bytes a parameter, gpt2 moves {rate:.1f} GB/s: {rate / read:.0%} of the "
                          f"{read:.1f} GB/s that gpt2-bench reads in the same runs. Its times are medians of rounds.")
        return result

    # MARK: JSON

    def json(self) -> dict:
        workload = self.workload
        return {
            "name": workload.name, "title": workload.title, "rounds": workload.rounds, "steps": workload.steps,
            "warm_up": workload.warm_up, "losses": self.losses,
            "contenders": [{
                "key": contender.key, "name": contender.name, "milliseconds": asdict(contender.timing()),
                "runs": [asdict(run) for run in contender.runs],
            } for contender in [*self.peers, self.ours]],
            "ratios": [{
                "key": peer.key, "ratio": self.ratio(peer), "by_round": self.ratios_by_round(peer),
                "largest_loss_difference": self.loss_difference(peer),
            } for peer in self.peers],
        }


def cells_of(timing: Timing, digits: int) -> list[str]:
    return [f"{value:.{digits}f}" for value in (timing.least, timing.median, timing.most)]


def table(rows: list[list[str]]) -> str:
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|---" * len(rows[0]) + "|", *body])
