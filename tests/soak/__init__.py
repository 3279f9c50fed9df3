"""`scripts/soak`: a device in a room for a while, with faults that strike at random."""
