"""What goes over the wire: ``agent.proto``, its messages, and batches of rows packed into them."""
