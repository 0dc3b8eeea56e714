"""The HTTP side: routes, limits, forms of an answer."""
