"""Recent packets: kept beside live collectors, found again by flow."""
