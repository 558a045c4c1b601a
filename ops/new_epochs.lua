-- Makes what a backup holds the beginning of a new history. Runs while Redis reads its data, before any client.
-- ARGV[1]: the epoch of every topic from now on.
--
-- Clients have seen events and notes that the backup does not contain, under numbers that come again. So no
-- number that was given out may mean something else: a cursor of another epoch cannot be continued, and notes
-- leave the range of versions that they had. Offsets go on, so that new notes are still listed as the newest.

local VERSIONS = 1000000 -- more changes than a note had between the backup and the restore

local topics = 0
for _, meta in ipairs(redis.call('KEYS', 'topic:*')) do
  if redis.call('TYPE', meta).ok == 'hash' then
    redis.call('HSET', meta, 'epoch', ARGV[1])
    redis.call('DEL', 'stream:' .. string.sub(meta, 7))
    topics = topics + 1
  end
end

-- Who listened when the backup was made does not any more; sidecars that live say it again within seconds.
for _, presence in ipairs(redis.call('KEYS', 'presence:*')) do
  redis.call('DEL', presence)
end

-- The demo's notes. Inside a JSON string a quote follows a backslash, so no text can look like this.
for _, notes in ipairs(redis.call('KEYS', 'notes:*')) do
  for _, id in ipairs(redis.call('HKEYS', notes)) do
    local before, version, after =
      string.match(redis.call('HGET', notes, id), '^(.*"done":%a+,"version":)(%d+)(,"created_at":.*)$')
    if version then
      version = (math.floor(tonumber(version) / VERSIONS) + 1) * VERSIONS
      redis.call('HSET', notes, id, before .. string.format('%d', version) .. after)
    end
  end
end

-- The last step: whoever sees this line in the log knows that all of it is done.
redis.log(redis.LOG_WARNING, 'corkboard: ' .. topics .. ' topics begin epoch ' .. ARGV[1])
