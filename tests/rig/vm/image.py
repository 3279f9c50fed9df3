"""The virtual machine's disk: Debian 13 with its kernel, ALSA and what ingestd needs, kept until its recipe changes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.rig import registries
from tests.rig.cleanroot import STORE

_SUITE = "trixie"
_BYTES = 2 << 30
_PACKAGES = (
    "systemd-sysv udev kmod iproute2 procps ca-certificates "
    "linux-image-amd64 initramfs-tools zstd alsa-utils libasound2-plugins "
    "python3 python3-websocket python3-alsaaudio python3-yaml python3-systemd"
)
_BEFORE_THE_KERNEL = r"""
mkdir -p "$1/etc/initramfs-tools/conf.d"
echo MODULES=list >"$1/etc/initramfs-tools/conf.d/modules" # of all drivers, unpacking would take longer than booting
printf '%s\n' virtio_pci virtio_blk ext4 >"$1/etc/initramfs-tools/modules"
"""
_AT_THE_END = r"""
echo device >"$1/etc/hostname"
echo 0123456789abcdef0123456789abcdef >"$1/etc/machine-id"
echo snd-aloop >"$1/etc/modules-load.d/card.conf"
echo 'options snd-aloop pcm_substreams=8' >"$1/etc/modprobe.d/card.conf"
printf '/dev/vda / ext4 defaults 0 0\n/dev/vdb /srv ext4 ro 0 0\n' >"$1/etc/fstab"
printf '[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' \
    >"$1/etc/systemd/network/10-all.network"
# After ingestd, so that the agent's own start is no part of how long ingestd's takes.
printf '%s\n' '[Unit]' After=ingestd.service '[Service]' 'ExecStart=/usr/bin/python3 /srv/agent.py' '[Install]' \
    WantedBy=multi-user.target >"$1/etc/systemd/system/agent.service"
chroot "$1" systemctl enable systemd-networkd agent
chroot "$1" systemctl mask serial-getty@ttyS0 getty@tty1 systemd-networkd-wait-online apt-daily.timer \
    apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap fstrim.timer alsa-restore alsa-state
"""
_TOOLS = ("qemu-system-x86_64", "mmdebstrap", "mke2fs", "gcc")


@dataclass(frozen=True)
class Image:
    """A disk and what boots it; none of them is ever written to again: machines have copies."""

    disk: Path
    kernel: Path
    initrd: Path


def why_not() -> str | None:
    """Why no virtual machine can be had here; None where it can."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [tool for tool in _TOOLS if not shutil.which(tool)]
    return f"needs {', '.join(absent)}" if absent else None


def image() -> Image:
    """The disk, made where there is none yet (a minute or two)."""
    recipe = "\n".join((_SUITE, str(_BYTES), _PACKAGES, _BEFORE_THE_KERNEL, _AT_THE_END))
    folder = STORE / f"vm-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not folder.exists():
        STORE.mkdir(parents=True, exist_ok=True)
        for older in STORE.glob("vm-*"):
            shutil.rmtree(older)
        with tempfile.TemporaryDirectory(prefix="making-vm-", dir=STORE) as making:
            _make(Path(making))
            Path(making, "image").rename(folder)
    return Image(folder / "disk.img", folder / "vmlinuz", folder / "initrd")


def _make(folder: Path) -> None:
    root = folder / "root"
    (folder / "apt.conf").write_text(registries.apt_settings())
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(_PACKAGES.split())}"]
    command += [f"--aptopt={folder / 'apt.conf'}"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    command += [f"--essential-hook={_BEFORE_THE_KERNEL}", f"--customize-hook={_AT_THE_END}"]
    _run([*command, _SUITE, str(root), registries.debian_mirror()])
    made = folder / "image"
    made.mkdir()
    for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
        shutil.copy(next((root / "boot").glob(pattern)), made / name)
    make_disk(made / "disk.img", root, _BYTES)


def make_disk(path: Path, root: Path, size_bytes: int) -> None:
    """An ext4 file system in a (sparse) file, with what is in the folder `root`."""
    with path.open("wb") as file:
        file.truncate(size_bytes)
    _run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(path)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}")
