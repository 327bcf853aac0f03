"""The chart as an XML parser sees it."""

from pathlib import Path
from xml.etree import ElementTree as ET

from benchmarks.throughput.chart import write_chart
from benchmarks.throughput.contestants import CONTESTANTS, OURS
from benchmarks.throughput.measurement import Sample

_SVG = "{http://www.w3.org/2000/svg}"


def test_bars_are_as_long_as_their_numbers_and_ours_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "chart.svg"
    write_chart(path, "30 ms & TLS", {OURS: Sample(250, 4000, 140), CONTESTANTS[1]: Sample(1000, 300, 90)})
    bars = ET.parse(path).getroot().findall(f"{_SVG}rect")  # noqa: S314 - we wrote it
    ours, peer = (float(bar.attrib["width"]) for bar in bars)
    assert [bar.get("class") for bar in bars] == ["ours", None]
    assert peer / ours == 4
