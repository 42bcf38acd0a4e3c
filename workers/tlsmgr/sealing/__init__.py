"""What reaches the disk reaches it sealed; this package holds the keys and does the sealing."""
