"""A stack for Docker Swarm, derived from docker-compose.yml."""
