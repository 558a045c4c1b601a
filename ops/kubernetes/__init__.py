"""Manifests for Kubernetes, made from docker-compose.yml."""
