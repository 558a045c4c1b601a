"""Who uses the site: readers, writers, and listeners by WebSocket and by event stream."""
