"""The dashboards' source: `python -m grafana.generate` writes grafana/dashboards/*.json."""
