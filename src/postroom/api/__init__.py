"""The service: HTTP and JSON over the store. A request reads and writes rows; it never waits for a mail server."""
