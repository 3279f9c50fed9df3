"""How this machine reaches Debian's packages and PyPI, told to a clean root that has to reach them the same way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_PIP_LISTS = ("extra-index-url", "find-links", "trusted-host")
_APT_SETTINGS = re.compile(r"^Acquire::(https?::Proxy|ForceIPv4|Retries|Check-(Valid-Until|Date))\b")
_DEBIAN_MIRROR = re.compile(r"https?://\S+/debian/?(?=\s|$)")
DEFAULT_MIRROR = "http://deb.debian.org/debian"


@dataclass
class PipSettings:
    """pip's settings as environment variables, and the files that they name."""

    environment: dict[str, str] = field(default_factory=dict)
    certificates: Path | None = None
    """A bundle of certificate authorities; the environment names it as `CERTIFICATES`."""


CERTIFICATES = "/mnt/certificates.pem"


def proxies() -> dict[str, str]:
    """The proxy variables of the environment, in either case."""
    names = [*_PROXIES, *(name.upper() for name in _PROXIES)]
    return {name: os.environ[name] for name in names if name in os.environ}


def pip_settings() -> PipSettings:
    """What pip is told here by its environment and files, less what lies in folders of this machine."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    settings = PipSettings()
    # The environment's own settings stand first in the list and win.
    for line in reversed(listing.splitlines()):
        scope, _, value = line.partition("=")
        name = scope.rpartition(".")[2]
        value = value.strip("'\"")
        if name == "cert":
            settings.certificates = Path(value)
            value = CERTIFICATES
        elif name in _PIP_LISTS:
            value = " ".join(word for word in value.split() if not word.startswith(("/", "file:", ".")))
        elif name not in ("index-url", "proxy", "timeout", "default-timeout", "retries"):
            value = ""
        if value:
            settings.environment["PIP_" + name.upper().replace("-", "_")] = value
    return settings


def apt_settings() -> str:
    """The lines of apt's configuration that say how to reach a mirror."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    return "".join(line + "\n" for line in dump.splitlines() if _APT_SETTINGS.match(line))


def debian_mirror() -> str:
    """The mirror that this machine's apt uses."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for path in files:
        if path.suffix in (".list", ".sources") and path.is_file():
            for line in path.read_text().splitlines():
                if not line.lstrip().startswith("#") and (found := _DEBIAN_MIRROR.search(line)):
                    return found[0].rstrip("/")
    return DEFAULT_MIRROR
