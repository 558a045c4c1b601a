-- Notes that were deleted lately, so that they can be restored. Keys of a topic T:
--   notes:{T}:deleted    hash   note id -> offset of its creation, a space, the note as JSON
--   folded:{T}:deleted   hash   note id -> its text, case folded
--   order:{T}:deleted    zset   note id -> when it was deleted (Unix time)

local KINDS = { 'notes', 'folded', 'order' }
local DELETED_SECONDS, MOST_DELETED = 60 * 60, 100 -- of one board

-- Whether a zset has so many members. The Redis user of the app has no right to count them.
local function has(zset, count)
  return count < 1 or #redis.call('ZRANGE', zset, count - 1, count - 1) > 0
end

-- The offset of the creation of a note that hangs on the board. The user has no right to ask for a score. Adding nothing
-- to it answers it.
local function created_at(topic, id)
  return redis.call('ZADD', 'order:{' .. topic .. '}', 'XX', 'INCR', 0, id)
end

-- Forgets deleted notes for good.
local function forget_deleted(topic, ids)
  if #ids > 0 then
    for _, kind in ipairs({ 'notes', 'folded' }) do
      redis.call('HDEL', kind .. ':{' .. topic .. '}:deleted', unpack(ids))
    end
    redis.call('ZREM', 'order:{' .. topic .. '}:deleted', unpack(ids))
  end
end

-- Forgets what was deleted over an hour ago. That its keys expire is not enough: each deletion puts it off.
local function forget_old(topic)
  local hour_ago = redis.call('TIME')[1] - DELETED_SECONDS
  forget_deleted(topic, redis.call('ZRANGE', 'order:{' .. topic .. '}:deleted', '-inf', hour_ago, 'BYSCORE'))
end

-- Keeps a note that is about to be deleted, and its place, for an hour; of one board only the last ones.
local function keep_deleted(topic, id, json)
  local board, deleted = ':{' .. topic .. '}', ':{' .. topic .. '}:deleted'
  redis.call('HSET', 'notes' .. deleted, id, created_at(topic, id) .. ' ' .. json)
  redis.call('HSET', 'folded' .. deleted, id, redis.call('HGET', 'folded' .. board, id) or '')
  local now = redis.call('TIME')
  redis.call('ZADD', 'order' .. deleted, string.format('%d.%06d', now[1], now[2]), id)
  for _, kind in ipairs(KINDS) do
    redis.call('EXPIRE', kind .. deleted, DELETED_SECONDS)
  end
  forget_old(topic)
  forget_deleted(topic, redis.call('ZRANGE', 'order' .. deleted, 0, -1 - MOST_DELETED))
end

-- A note that was deleted within the last hour: offset of its creation, the note as JSON, its text folded; or nil.
local function find_deleted(topic, id)
  local deleted = ':{' .. topic .. '}:deleted'
  forget_old(topic)
  local kept = redis.call('HGET', 'notes' .. deleted, id)
  if kept then
    local offset, json = string.match(kept, '^(%d+) (.*)$')
    return offset, json, redis.call('HGET', 'folded' .. deleted, id)
  end
end

-- A deleted note counts as one of its board, and gives way to a new one.
local function make_room(a)
  local order = 'order:{' .. a.topic .. '}'
  if has(order, a.max_notes - MOST_DELETED) then
    local ids = redis.call('ZRANGE', order .. ':deleted', 0, -1)
    for i, id in ipairs(ids) do
      if has(order, a.max_notes + i - 1 - #ids) then
        forget_deleted(a.topic, { id })
      end
    end
  end
end
