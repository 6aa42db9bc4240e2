"""The lab: the bench's cores joined without the real parts, to simulate, to replay and to score."""
