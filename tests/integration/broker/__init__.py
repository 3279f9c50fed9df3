"""The broker as a whole process."""
