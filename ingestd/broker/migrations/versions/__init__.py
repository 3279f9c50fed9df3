"""One step each, from the one that its `down_revision` names."""
