"""Rows of figures, and how they are printed: markdown that can go into a README as it is."""

import statistics
from dataclasses import dataclass, field

from .tools import Failed


@dataclass
class Target:
    """design's must and aim. `of` says what they are about: the ratio to the floor, or the value."""
    must: float
    aim: float
    of: str = "ratio"
    at_least: bool = False

    def text(self, limit, figure, unit):
        sign, met = ("≥", figure is not None and figure >= limit) if self.at_least else ("≤", figure is not None and figure <= limit)
        return f"{sign} {limit:g}{'×' if self.of == 'ratio' else ' ' + unit} {'✓' if met else '✗'}"


@dataclass
class Cell:
    """One subject's figures of a row; one failure and there is no figure."""
    samples: list = field(default_factory=list)
    failures: list = field(default_factory=list)

    @property
    def median(self):
        return None if self.failures or not self.samples else statistics.median(self.samples)


class Row:
    """What is measured, of several subjects. The first is the floor that ratios are against, unless `floor` is None."""

    def __init__(self, title, unit, subjects, floor=None, targets=None, digits=2):
        self.title, self.unit, self.floor, self.digits = title, unit, floor, digits
        self.cells = {name: Cell() for name in subjects}
        self.targets = targets or {}

    def take(self, subject, measure):
        """Adds what `measure()` gives, or why it gives nothing. Returns the figure, or None."""
        try:
            value = measure()
        except Failed as failure:
            self.fail(subject, failure)
            return None
        self.cells[subject].samples.append(value)
        return value

    def fail(self, subject, failure):
        self.cells[subject].failures.append(str(failure))

    @property
    def has_failures(self):
        return any(cell.failures or not cell.samples for cell in self.cells.values())

    def ratio(self, subject):
        base = self.cells[self.floor].median if self.floor else None
        value = self.cells[subject].median
        return value / base if base and value is not None else None

    def lines(self):
        for name, cell in self.cells.items():
            yield "| " + " | ".join([self.title if name == next(iter(self.cells)) else "", *self._columns(name, cell)]) + " |"

    def _columns(self, name, cell):
        if cell.median is None:
            reason = "; ".join(dict.fromkeys(cell.failures)) or "nothing was measured"
            return [name, "**FAILED**: " + reason.replace("|", "\\|"), "", "", ""]
        low, high = min(cell.samples), max(cell.samples)
        value = f"{cell.median:.{self.digits}f} {self.unit}"
        if len(cell.samples) > 1:
            value += f" ({low:.{self.digits}f}–{high:.{self.digits}f})"
        ratio = self.ratio(name)
        columns = [f"**{name}**" if name in self.targets else name, value, "" if ratio is None else f"{ratio:.2f}"]
        if not (target := self.targets.get(name)):
            return columns + ["", ""]
        figure = ratio if target.of == "ratio" else cell.median
        return columns + [target.text(target.must, figure, self.unit), target.text(target.aim, figure, self.unit)]


def table(rows):
    return "\n".join(["| what | of | median (range) | ratio | must | aim |", "|---|---|---|---|---|---|",
                      *(line for row in rows for line in row.lines())])
