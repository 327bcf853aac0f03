"""The README's chart: CPU per mail as horizontal bars, in an SVG that reads on light and dark pages."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

from benchmarks.throughput.contestants import OURS, Contestant
from benchmarks.throughput.measurement import Sample

_WIDTH, _ROW, _TOP = 800, 34, 58
_NAMES, _VALUES = 310, 130
"""Room left of the bars, and right of the longest."""
_STYLE = """
text { font: 14px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 } .quiet { fill: #6e7781 }
rect { fill: #afb8c1 } rect.ours { fill: #1a7f64 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .quiet { fill: #8b949e } rect { fill: #484f58 } rect.ours { fill: #3fb68b } }
"""


def write_chart(path: Path, condition: str, results: Mapping[Contestant, Sample]) -> None:
    """Write the file; the fewest microseconds come first."""
    rows = sorted(results.items(), key=lambda row: row[1].cpu_us)
    scale = (_WIDTH - _NAMES - _VALUES) / rows[-1][1].cpu_us
    title = f"CPU per mail, in microseconds of one core ({condition})"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_TOP + _ROW * len(rows)}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<text class="title" x="0" y="18">{escape(title)}</text>',
        '<text class="quiet" x="0" y="40">email_consumer with its ledger on disk; the others keep no status</text>',
    ]
    for number, (contestant, sample) in enumerate(rows):
        parts += _bar(_TOP + number * _ROW, contestant, sample, scale)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")


def _bar(top: int, contestant: Contestant, sample: Sample, scale: float) -> list[str]:
    width, middle = sample.cpu_us * scale, top + 17
    rate = f'<tspan class="quiet">{sample.rate:,.0f}/s</tspan>'
    marked = ' class="ours"' if contestant is OURS else ""
    return [
        f'<text x="{_NAMES - 10}" y="{middle}" text-anchor="end">{escape(contestant.name)}</text>',
        f'<rect{marked} x="{_NAMES}" y="{top}" width="{width:.1f}" height="24" rx="3"/>',
        f'<text x="{_NAMES + width + 8:.1f}" y="{middle}">{sample.cpu_us:,.0f} µs {rate}</text>',
    ]
