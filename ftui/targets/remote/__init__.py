"""What targets on rented machines have in common: a detached follower, and what travels."""
