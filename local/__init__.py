"""The deployment's services as processes of this machine, for where no Docker engine answers."""
