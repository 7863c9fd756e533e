"""Backups of the server: to a folder or a bucket, sealed, and proved by starting a server from them."""
