"""An OpenTelemetry collector's OTLP/HTTP endpoint on loopback, which keeps what it was sent."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    def __init__(self) -> None:
        self.bodies: dict[str, list[bytes]] = {"/v1/traces": [], "/v1/metrics": []}
        self.url = ""
        self.hangs = threading.Event()
        """Set: it takes requests and answers none until it is closed."""
        self.asked = threading.Event()
        self.closing = threading.Event()

    @property
    def spans(self) -> list[Any]:
        """Of all requests, each with its resource's attributes."""
        found = []
        for body in self.bodies["/v1/traces"]:
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                found += [span for scope in of_resource.scope_spans for span in scope.spans]
        return found

    @property
    def metrics(self) -> dict[str, Any]:
        """By name, as last sent."""
        return {
            metric.name: metric
            for body in self.bodies["/v1/metrics"]
            for of_resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in of_resource.scope_metrics
            for metric in scope.metrics
        }

    def resource(self) -> dict[str, str]:
        request = ExportTraceServiceRequest.FromString(self.bodies["/v1/traces"][0])
        return {a.key: a.value.string_value for a in request.resource_spans[0].resource.attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.asked.set()
            if kept.hangs.is_set():
                kept.closing.wait(30)
                return
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            kept.bodies[self.path].append(body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        kept.closing.set()
        server.shutdown()
        server.server_close()
