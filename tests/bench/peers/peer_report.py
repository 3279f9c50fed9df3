"""What `scripts/bench peers` shows on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tests.bench.peers.contenders import TITLES
from tests.bench.peers.measuring import FRAME_MS, Sample
from tests.bench.peers.peer_figures import Results, Samples, medians

_HEADINGS = (
    "",
    "CPU\nms/s",
    "of\nfloor",
    "of\nNode",
    "RSS\nMiB",
    "wake-ups\n/s",
    "gap error\nms",
    "99 %",
    "up\n/s",
    "down\n/s",
)
_WIDTH = 120
"""Whatever the terminal's: a table that has lost its numbers says nothing."""
_LEGEND = (
    "Medians of the rounds. CPU: of all threads, start-up left out. RSS: its peak. gap error: how far the time between "
    "two frames is from 20 ms, median and 99 %, by the kernel's stamps as they come to the room's port."
)


def tell(console: Console, number: int, tls: bool, name: str, sample: Sample) -> None:
    """One contender's round is over."""
    console.print(
        f"[dim]{number + 1:>3} {'wss' if tls else 'ws':<3} {TITLES[name]:<26}[/] {sample.cpu_ms_per_s:6.2f} ms/s, "
        f"{sample.rss_mib:5.1f} MiB, {sample.wakeups_per_s:5.0f} wake-ups/s, {sample.up_per_s:5.2f} frames/s up, "
        f"{sample.down_per_s:5.2f} down",
        highlight=False,
        soft_wrap=True,
    )


def show(console: Console, results: Results) -> None:
    """A table for each transport, and what the long run and the latency say."""
    floor_ms = medians(results.plain["floor"])["cpu_ms_per_s"]
    wide = Console(file=console.file, width=max(console.width, _WIDTH))
    wide.print(_table("over ws", results.plain, floor_ms))
    wide.print(_table("over TLS", results.tls, None))
    for name, long in results.long.items():
        off_ppm = (long.period_ms / FRAME_MS - 1) * 1e6
        console.print(
            f"{TITLES[name]:<26} at length: a frame every {long.period_ms:.4f} ms ({off_ppm:+,.0f} ppm), "
            f"{long.rss_mib:.1f} MiB at most",
            highlight=False,
            soft_wrap=True,
        )
    ours = medians(results.plain["ours"])
    p50_ms, p99_ms = ours["latency_p50_ms"], ours["latency_p99_ms"]
    console.print(f"from the microphone's read to the wire: {p50_ms:.2f} ms, 99 % {p99_ms:.2f} ms", highlight=False)
    console.print(f"[dim]{_LEGEND}[/]", highlight=False)


def _table(title: str, samples: Samples, floor_ms: float | None) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in _HEADINGS:
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    node_ms = medians(samples["node"])["cpu_ms_per_s"]
    for name, rounds in samples.items():
        row = medians(rounds)
        cpu_ms, own_ms = row["cpu_ms_per_s"], row["own_cpu_ms_per_s"]
        numbers = (row["gap_error_p50_ms"], row["gap_error_p99_ms"], row["up_per_s"], row["down_per_s"])
        table.add_row(
            TITLES[name],
            f"{own_ms:.2f}" if cpu_ms == own_ms else f"{own_ms:.2f} + {cpu_ms - own_ms:.2f}",
            f"{own_ms / floor_ms:.2f}" if floor_ms else "",
            f"{own_ms / node_ms:.2f}",
            f"{row['rss_mib']:.1f}",
            f"{row['wakeups_per_s']:.0f}",
            *(f"{number:.2f}" for number in numbers),
        )
    return table
