"""The egocentric scenarios, one object an environment: the same worlds, pictures and draws."""
