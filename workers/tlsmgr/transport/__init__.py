"""UNIX sockets, for any protocol whose codec is handed in."""
