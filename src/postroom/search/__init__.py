"""Search: words out of messages, queries out of what people type, snippets out of matches. Touches no database."""
