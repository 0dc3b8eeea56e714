"""Agents and servers of MetaFlow: rows go over gRPC, through a spool on disk, and arrive once."""
