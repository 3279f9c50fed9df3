"""A virtual machine of Debian 13 with the kernel's own ALSA: cards with a clock of their own that can be unplugged."""
