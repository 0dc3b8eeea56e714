"""``mflow top``: services, requests, flows, edges and drops live in a terminal."""
