"""Corkboard under load: Locust users and shapes, and benchmarks."""
