"""Figures for Prometheus: what they are, and the endpoint that serves them. Only where `metrics.listen` is set."""
