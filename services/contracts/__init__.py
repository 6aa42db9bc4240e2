"""What passes between services, and nothing else: frames, events, topics, OCPP messages. No I/O."""
