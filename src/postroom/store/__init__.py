"""Store: the only room that touches the tables. Every function takes a `TenantTx` and values, and gives values."""
