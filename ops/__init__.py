"""How it is run elsewhere than by hand: scripts for Docker, and manifests made from the Compose file."""
