"""The charge point: an OCPP 1.6J client above, a CAN node below, one bus and one module per connector."""
