"""The shop: services, stores and customers, each a process of its own."""
