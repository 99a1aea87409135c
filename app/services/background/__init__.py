"""What acts without being asked: sweeps, deliveries, collection, checks."""
