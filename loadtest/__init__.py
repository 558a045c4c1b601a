"""Load tests: Locust users, load shapes and thresholds."""
