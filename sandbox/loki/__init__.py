"""A strict stand-in for Loki's HTTP API: push, query_range over a part of LogQL, tenants, and its limits."""
