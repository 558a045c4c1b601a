"""Every bound of the sidecar that is not a setting; the unit is the last word of its name.

Always read as `limits.NAME`, so that there is one value, and a test may change it.
"""

from __future__ import annotations

# One connection: what it may ask for, and how far it may fall behind before it is closed with 1013. Frames of
# all kinds count: messages, their fragments, pings and pongs.
CONNECTION_TOPICS = 100
MESSAGES_PER_SECOND = 100
MESSAGE_BYTES = 64 * 1024
ECHOED_CHARACTERS = 256  # of the topic of a bad subscribe
FRAMES_PER_SECOND = 250
BYTES_PER_SECOND = 512 * 1024
PARSED_BYTES = 1024  # in one piece; at most 170 frames
BACKLOG_BYTES = 1024 * 1024
SEND_BYTES = 64 * 1024  # that the kernel takes beyond that; it keeps twice as much for its own needs
BEHIND_SECONDS = 10.0

# WebSockets. A peer that is dead is dropped within 40 s: pings are spread over 15 to 25 s.
PING_SECONDS = 20.0
PONG_SECONDS = 15.0
CLOSE_SECONDS = 2.0  # to answer a close frame
DISCARD_SECONDS = 0.5  # in which a client that broke the protocol may go on sending
DISCARD_PAUSE_SECONDS = 0.02  # between two reads of what is discarded

# All clients of this process together. An address may use the same share of each as of the sockets:
# MAX_SOCKETS_PER_CLIENT / MAX_SOCKETS, an eighth by default. A replay is what a client missed, on its way.
ALL_FRAMES_PER_SECOND = 4000
REPLAYS = 512  # at the same time
REPLAYED_BYTES_PER_SECOND = 64 * 1024 * 1024
REPLAY_BYTES = 64 * 1024  # one step of a replay
REPLAY_WAIT_SECONDS = 10.0
TOPICS_PER_SOCKET = 2  # on average, topics that nobody else listens to, or on which it says who it is
ALL_INTRODUCTIONS_PER_SECOND = 400  # of clients that say who they are, once for each topic

# What clients whisper to each other. Beyond the writes of a process, whispers are dropped.
WHISPER_BYTES = 1024
WHISPERS_PER_SECOND = 20  # of one connection
ALL_WHISPERS_PER_SECOND = 4000  # of all clients, with a share for each address as above
WHISPERS_WAITING = 1000  # for Redis
WHISPER_WRITES_PER_SECOND = 50_000

# Who is on a topic: so many are told by name, and each says so much. Who come and go faster than may be told
# are told later, and then together.
PEOPLE = 50
ME_BYTES = 256
PEOPLE_BYTES_PER_SECOND = 4 * 1024  # of the changes of one topic, to each listener
ALL_PEOPLE_BYTES_PER_SECOND = 16 * 1024 * 1024  # to all listeners

# Event streams and polls, and plain HTTP.
IDLE_SECONDS = 15.0  # until a quiet stream shows that it is alive
POLL_SECONDS = 30.0
RETRY_SECONDS = 1
# Longer than nginx keeps an idle connection, so that nginx is the one that closes.
KEEP_ALIVE_SECONDS = 75
BACKLOG_CONNECTIONS = 4096
SLOT_SECONDS = 0.25  # between two looks for a slot that nobody serves

# What is kept of topics. One with events lingers without listeners: a page that is loaded again finds it
# warm.
LINGERING_TOPICS = 1000
TAIL_EVENTS = 1000
TAIL_BYTES = 1024 * 1024
TAILS_BYTES = 64 * 1024 * 1024
TRIM_SECONDS = 5.0
LEFT_TOPICS = 500  # that are left before their memory is given back
LINGER_SECONDS = 60.0
BLOCK_EVENTS = 200
BLOCKS_BYTES = 16 * 1024 * 1024
BLOCKS_SECONDS = 10.0
BLOCKS_READING = 16

# Turns of the event loop. Writing to a slice takes about two milliseconds. Writing to a large audience takes
# longer than waiting for the events right behind, which are then written along.
SLICE_LISTENERS = 1000
LARGE_LISTENERS = 100
COALESCE_SECONDS = 0.001
TRACED_EVENTS = 100  # of those that are written together; a span takes some 6 microseconds of the event loop
BURST_MESSAGES = 256
LAG_SECONDS = 0.5  # between two measurements
STUCK_SECONDS = 6.0  # until the guardian ends a process whose loop stands still
STUCK_BUSY_SECONDS = 15.0  # the same, when it computes meanwhile
STUCK_STEP_SECONDS = 0.5
STUCK_TRACE_SECONDS = 0.3  # to write its stack
GARBAGE_OBJECTS = 50_000

# Redis. A connection without a sign of life for SILENCE_SECONDS is given up; a ping goes out every tick.
# Clients still come in when it was lost less than PATIENCE_SECONDS ago: a restart takes about one.
CONNECT_SECONDS = 0.5
ANSWER_SECONDS = 2.0
# For a Sentinel, before the next one is asked.
SENTINEL_SECONDS = 0.3
PROBE_SECONDS = 0.5
SILENCE_SECONDS = 6.0
PATIENCE_SECONDS = 2.0
TICK_SECONDS = 2.0
LATE_SECONDS = 4.0  # without a sign of life until clients are told; longer than between two pings
LATE_LOOK_SECONDS = 0.5  # between two looks
RECONNECT_SECONDS = (0.05, 0.3)
DISTRIBUTION_SECONDS = 10.0  # until a cluster is asked who has what, although nothing says that it changed
CLOCK_SECONDS = 0.1  # by which a publisher's clock may be ahead before it counts as wrong
READ_EVENTS = 500
READ_TOPICS = 100
LOOK_TOPICS = 100  # that are asked for together
COMPARE_TICKS = 30  # until every topic has been compared, moved or not
FILLED_RATIO = 0.8  # of its memory: from there on readyz warns

# Presence: repeated every four ticks, forgotten without. Right again within 12 s of a process' death.
PRESENCE_SECONDS = 1.0
PRESENCE_TOPICS = 250  # that are read, put together or told in one turn of the loop
PRESENCE_PAUSE_SECONDS = 0.02  # between such turns
PRESENCE_CHANGES = 4  # of a process that others can still look up one by one
PRESENCE_CHANGE_BYTES = 256 * 1024  # of one of these; when more has changed, others ask for their topics
REPEAT_TICKS = 4
FORGET_SECONDS = 10

# A process that is told to stop is killed after 25 s (`make up`) or 30 s (Compose). The last seconds are for
# clients that do not answer the goodbye.
STOP_SECONDS = 25
LAST_SECONDS = 3
QUEUE_SECONDS = 0.25  # between two looks whether those before are gone
SUCCESSOR_SECONDS = 4  # that a successor takes to start
DRAIN_SECONDS = 20  # the longest that the setting may be

# What MAX_SOCKETS is checked against: the process with all that it keeps of topics, and an idle socket.
PROCESS_BYTES = 192 * 1024 * 1024
SOCKET_BYTES = 16 * 1024
