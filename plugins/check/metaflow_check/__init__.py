"""``mflow check``: assertions on traffic, for continuous integration."""
