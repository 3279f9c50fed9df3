"""The Debian package on a Debian 13 that systemd has booted."""
