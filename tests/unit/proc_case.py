"""A /proc with sound cards, as the kernel writes it."""

from __future__ import annotations

from pathlib import Path


class FakeProc:
    """Cards, their PCMs and the processes that have them open, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.proc = folder / "proc"
        self.asound = self.proc / "asound"
        self.asound.mkdir(parents=True)
        (self.asound / "cards").write_text("--- no soundcards ---\n")
        self._cards = ""

    def card(self, number: int, card_id: str, name: str) -> None:
        """Another card."""
        (self.asound / f"card{number}").mkdir()
        (self.asound / f"card{number}" / "id").write_text(f"{card_id}\n")
        self._cards += f"{number:2d} [{card_id:15s}]: USB-Audio - {name}\n                      {name} at usb-1.2\n"
        (self.asound / "cards").write_text(self._cards)

    def pcm(self, card: int, device: int, direction: str, name: str, thread: int | None = None) -> None:
        """One of its PCMs; `direction` is c or p, `thread` has it open."""
        folder = self.asound / f"card{card}" / f"pcm{device}{direction}"
        (folder / "sub0").mkdir(parents=True)
        stream = "CAPTURE" if direction == "c" else "PLAYBACK"
        (folder / "info").write_text(
            f"card: {card}\ndevice: {device}\nsubdevice: 0\nstream: {stream}\nid: {name}\nname: {name}\n"
            f"subname: subdevice #0\nclass: 0\nsubclass: 0\nsubdevices_count: 1\nsubdevices_avail: {int(not thread)}\n"
        )
        owner = "closed\n" if thread is None else f"state: RUNNING\nowner_pid   : {thread}\ntrigger_time: 7.1\n"
        (folder / "sub0" / "status").write_text(owner)

    def process(self, pid: int, command: str, *threads: int) -> None:
        """A process, and threads of it."""
        for thread in (pid, *threads):
            folder = self.proc / str(thread)
            folder.mkdir()
            (folder / "comm").write_text(f"{command if thread == pid else 'thread'}\n")
            (folder / "status").write_text(f"Name:\tx\nTgid:\t{pid}\nPid:\t{thread}\n")
