"""What a call costs in detail: its start, its system calls and allocations, and what messages add to it."""
