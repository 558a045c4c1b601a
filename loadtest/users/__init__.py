"""The users: readers, writers, and listeners by WebSocket and by event stream."""
