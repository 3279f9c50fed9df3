"""Mute and gains that outlive the process: a privacy mute never comes back open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from ingestd.core.catalog import fields_of
from ingestd.core.level import Gain, Mute
from ingestd.core.remedies_for_parts import NOT_KEPT
from ingestd.core.soundsettings import SoundSettings, decode
from ingestd.system.journal import LOG
from ingestd.system.state_files import write_state

FILE: Final = "sound.json"
_NOWHERE: Final = "there is no state directory (systemd makes one: StateDirectory=) to keep it in"


class SoundState:
    """What is set on `gains` and `mute`, and the files that have it too."""

    def __init__(
        self,
        folders: Sequence[Path | None],
        gains: Mapping[str, Gain],
        mute: Mute,
        configured: Callable[[], Mapping[str, float]],
    ) -> None:
        """`folders`: the first lasts for ever, the others hold a mute while that can't be written; None: not there.

        `configured` gives what the configuration says of each gain now, by the same names.
        """
        self._lasting = folders[0] is not None if folders else False
        self._paths = [folder / FILE for folder in folders if folder is not None]
        self.gains = gains
        self.mute = mute
        self._configured = configured
        self._set: dict[str, tuple[float, float]] = {}
        self._writing = threading.Lock()

    def restore(self) -> str | None:
        """Sets everything as it was. None, or a warning for the log. Before any thread runs."""
        warning = None
        muted = False
        for path in reversed(self._paths):  # the gains of the first count
            try:
                kept = decode(path.read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                muted = True
                why = error.strerror if isinstance(error, OSError) else f"damaged, {error}"
                warning = (
                    f"{path} can't be read ({why}), so nobody knows whether this device was muted: it is muted now; "
                    "open it by 'ingestctl unmute'"
                )
            else:
                muted = muted or kept.muted
                self._set = dict(kept.gains_db)
        self.mute.begin(muted)
        settings = SoundSettings(muted, self._set)
        for side, configured_db in self._configured().items():
            self.gains[side].set(settings.gain_db(side, configured_db))
        return warning

    def set_mute(self, on: bool) -> Future[str | None]:
        """At once; done when it is kept, with None, or why it is not. Control thread."""
        self.mute.on = on
        return self._keep()

    def set_gains(self, wanted: Mapping[str, float]) -> Future[str | None]:
        """At once, each −60 to 30 dB; done when it is kept, with None, or why it is not. Control thread."""
        configured = self._configured()
        for side, gain_db in wanted.items():
            self.gains[side].set(gain_db)
            self._set[side] = gain_db, configured[side]
        return self._keep()

    def configure(self, side: str, gain_db: float) -> None:
        """The configuration has been changed to this: what was set before counts no more. Supervisor thread."""
        self.gains[side].set(gain_db)
        if self._set.pop(side, None) is not None:
            self._keep()

    def _keep(self) -> Future[str | None]:
        kept = Future[str | None]()
        self.mute.kept = False
        if not self._paths:
            kept.set_result(_NOWHERE)
            return kept
        # A busy SD card may take seconds, and the control thread has others to serve.
        try:
            threading.Thread(target=self._write, args=(kept,), name="keep", daemon=True).start()
        except RuntimeError as error:
            kept.set_result(f"it can't be kept: {error}")
        return kept

    def _write(self, kept: Future[str | None]) -> None:
        with self._writing:
            # What holds now, not when it was asked for: of two writers the last one to come must not be the older.
            content = SoundSettings(self.mute.on, dict(self._set)).encode()
            faults = [write_state(path, content) for path in self._paths]
        why = faults[0] if self._lasting else _NOWHERE
        self.mute.kept = why is None
        if why is not None:
            LOG.warning("mute and gain are set, but a restart may not know: %s", why, extra=fields_of(NOT_KEPT[0]))
        kept.set_result(why)
