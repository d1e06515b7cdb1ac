"""What a check found."""

from dataclasses import dataclass, field


@dataclass
class Verdict:
    """A summary, and a sentence for each thing that is wrong."""

    check: str
    summary: str = ""
    faults: list[str] = field(default_factory=list)
    # Whether the programs do yet what is checked.
    is_built: bool = True

    @property
    def word(self) -> str:
        return "FAIL" if self.faults else "pass" if self.is_built else "not built"

    def fault(self, where: str, expected: object, found: object) -> None:
        sentence = f"{where}: expected {expected}, found {found}"
        if sentence not in self.faults:
            self.faults.append(sentence)

    def expect(self, where: str, expected: object, found: object) -> None:
        if expected != found:
            self.fault(where, expected, found)
