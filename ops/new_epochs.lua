-- Makes what a backup holds the beginning of a new history. Runs while Redis reads its data, before any client.
-- ARGV[1]: the era from now on, which corkboard/functions.lua has in the epoch of every topic.
--
-- Clients have seen events and notes that the backup does not contain, under numbers that come again. So no
-- number that was given out may mean something else: the first event of each topic begins a new epoch.

redis.call('SET', 'fence:{master}', '*//' .. ARGV[1])

-- Who listened when the backup was made does not any more; sidecars that live say it again within seconds.
for _, presence in ipairs(redis.call('KEYS', 'presence:*')) do
  redis.call('DEL', presence)
end

-- The last step: whoever sees this line in the log knows that all of it is done.
redis.log(redis.LOG_WARNING, 'corkboard: era ' .. ARGV[1] .. ' begins')
