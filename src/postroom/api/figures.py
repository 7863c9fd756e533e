"""Figures: what Prometheus collects of the service. No label names a tenant."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Figures:
    """Of one process. Each has a registry of its own, so that two apps in a test do not clash."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "postroom_http_requests",
            "Requests by method, route and status.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "postroom_http_request_seconds",
            "How long requests took, by route.",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.listeners = Gauge("postroom_event_listeners", "Open streams of events.", registry=self._registry)
        self.refused = Counter(
            "postroom_http_refused", "Requests over a rate limit.", registry=self._registry
        )

    def saw(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request is over."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """In the format of Prometheus."""
        return generate_latest(self._registry)
