"""What MetaFlow and tshark say of the same captures, side by side: ``python -m tools.agreement FILE...``."""
