"""What is wrong with this device, and what to do: looked at from outside, with the daemon stopped or running."""
