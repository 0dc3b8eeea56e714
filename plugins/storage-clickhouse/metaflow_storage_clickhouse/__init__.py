"""ClickHouse as a storage: embedded in this process (chDB) or as a server. The storage itself is in ``storage.py``."""
