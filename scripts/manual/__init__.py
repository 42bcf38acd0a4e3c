"""Makes the manual pages and the shell completions out of what the program itself uses."""
