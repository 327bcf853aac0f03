"""What a process has used, by Linux's own books (proc(5)); all of its threads."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def fine_cpu_seconds(pid: int) -> float:
    """The same to the nanosecond, of the threads that still run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def peak_rss_mb(pid: int) -> float:
    """The most memory that was resident at any moment, in MB."""
    return _status_kib(pid, "VmHWM") / 1000 * 1.024


def rss_mb(pid: int) -> float:
    """The memory that is resident now, in MB."""
    return _status_kib(pid, "VmRSS") / 1000 * 1.024


def _status_kib(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
