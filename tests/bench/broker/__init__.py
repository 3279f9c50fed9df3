"""The session broker measured: how many sessions it gives, how a fleet comes back to it, what a kill takes from it."""
