"""From a storage to rows: few plans, each by time and key."""
