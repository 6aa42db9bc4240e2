"""The central system: an OCPP 1.6J server, an HTTP API, and scenarios against its own charge points."""
