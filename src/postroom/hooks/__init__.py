"""Webhooks, as far as no network and no database is needed: which addresses may be called, how a call is signed, how long
it is tried. No clock, no chance: they are given."""
