"""MCP: mail as tools for a model, over the HTTP API's own operations and with the rights of one key."""
