"""PromQL as text and as a tree."""
