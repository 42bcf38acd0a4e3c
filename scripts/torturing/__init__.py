"""Kills workers at random under a load that knows what it was promised."""
