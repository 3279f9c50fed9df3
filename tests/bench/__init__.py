"""`scripts/bench`: what the daemon's parts do, side by side with others' on the same input."""
