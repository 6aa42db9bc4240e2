"""The MemoryBank: events from MQTT, remembered exactly once in PostgreSQL; anomalies found in them."""
