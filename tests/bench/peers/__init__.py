"""Clients of the service measured beside the daemon on the same audio, and the daemon without a sound card."""
