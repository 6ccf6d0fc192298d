"""What operators watch: metrics for Prometheus, metrics and traces for OpenTelemetry."""
