"""What the server's settings should be on this machine, and how they come to hold."""
