"""How dstack serves a run's model: from what travels to the verified end of the service."""
