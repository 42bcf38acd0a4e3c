"""The three worker processes and what their lives have in common."""
