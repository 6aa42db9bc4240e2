"""What ChargeBench reaches, each figure against its baseline in the same run: `make bench`."""
