"""How it runs elsewhere: scripts for Docker; stacks and manifests made from the Compose file."""
