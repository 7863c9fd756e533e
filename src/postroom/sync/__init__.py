"""Sync: inward. Compares a source with the store, and brings in what is missing."""
