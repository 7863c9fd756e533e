"""Wire: talks to other people's mail, on servers and in files."""
