"""Names of addresses from what is seen in the traffic itself."""
