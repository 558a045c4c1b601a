-- Where notes hang on the wall: from the highest position to the lowest, in the order of bytes; of two notes at the
-- same position the one with the higher id comes first. Keys of a topic T:
--   order:{T}:wall      zset   "POSITION.HEX" of a note -> 0
--   order:{T}:places    hash   HEX of a note's id -> its position; `until` -> offset of creation of the newest of them
-- A note that was created after `until` hangs above all of these, where its creation puts it. So a board that nobody has
-- arranged has neither key, and what version 2.0 adds, which knows nothing of them, hangs where it belongs. What 2.0
-- deletes is passed over.

local DIGITS = '123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
local CATCH_UP = 1000 -- notes at a time
-- In a note's JSON, what follows the position is no longer than this. Inside a JSON string a quote follows a backslash,
-- so no text can look like it.
local TAIL, NAME = -300, ',"position":"'

-- The position that a note has from its creation. It rises with the offset, and leaves room on either side: the first
-- character says how many digits follow, and none of these is 0.
local function natural(offset)
  local length, count = 1, #DIGITS
  while offset >= count do
    offset, length, count = offset - count, length + 1, count * #DIGITS
  end
  local digits = ''
  for _ = 1, length do
    local digit = offset % #DIGITS + 1
    digits, offset = string.sub(DIGITS, digit, digit) .. digits, math.floor(offset / #DIGITS)
  end
  return string.char(96 + length) .. digits
end

local function hex(id)
  return string.sub(id, -16)
end

-- Offset of the creation of the newest note that the wall's own order knows.
local function known_until(topic)
  return redis.call('HGET', 'order:{' .. topic .. '}:places', 'until') or '0'
end

-- The position of a note that is there. `offset`: that of its creation, where the caller knows it.
local function position_of(topic, id, offset)
  local moved = redis.call('HGET', 'order:{' .. topic .. '}:places', hex(id))
  return moved or natural(tonumber(offset or created_at(topic, id)))
end

-- The JSON of a note with its position, which version 2.0 leaves out.
local function with_position(json, topic, id, offset)
  if string.find(json, NAME, TAIL, true) then
    return json
  end
  local head, tail = string.match(json, '^(.*)(,"done":%a+,.*)$')
  return head and head .. NAME .. position_of(topic, id, offset) .. '"' .. tail or json
end

-- Brings some of the notes that were created meanwhile into the wall's own order; whether it knows all of them now.
local function catch_up(topic)
  local order = 'order:{' .. topic .. '}'
  local newer = redis.call('ZRANGE', order, '(' .. known_until(topic), '+inf', 'BYSCORE', 'LIMIT', 0, CATCH_UP, 'WITHSCORES')
  if #newer == 0 then
    return true
  end
  local members, places = {}, { 'until', newer[#newer] }
  for i = 1, #newer, 2 do
    local name, position = hex(newer[i]), natural(tonumber(newer[i + 1]))
    members[#members + 1], members[#members + 2] = 0, position .. '.' .. name
    places[#places + 1], places[#places + 2] = name, position
  end
  redis.call('ZADD', order .. ':wall', unpack(members))
  redis.call('HSET', order .. ':places', unpack(places))
  return #newer < 2 * CATCH_UP
end

-- Takes a note out of the wall's own order; all of them with the last note of the board.
local function unhang(topic, id)
  local order = 'order:{' .. topic .. '}'
  if not has(order, 1) then
    return redis.call('DEL', order .. ':wall', order .. ':places')
  end
  local position = redis.call('HGET', order .. ':places', hex(id))
  if position then
    redis.call('ZREM', order .. ':wall', position .. '.' .. hex(id))
    redis.call('HDEL', order .. ':places', hex(id))
  end
end

-- Hangs a note, which the board's order knows already, somewhere else. Everything else must have caught up.
local function hang(topic, id, position)
  catch_up(topic)
  unhang(topic, id)
  local order = 'order:{' .. topic .. '}'
  redis.call('ZADD', order .. ':wall', 0, position .. '.' .. hex(id))
  redis.call('HSET', order .. ':places', hex(id), position)
end

-- Whether a position is not above all in the wall's own order.
local function is_among(topic, position)
  local top = redis.call('ZRANGE', 'order:{' .. topic .. '}:wall', '+', '-', 'BYLEX', 'REV', 'LIMIT', 0, 1)[1]
  return top ~= nil and position .. '.' <= top
end

-- The next notes of a board after a token, none for the first ones: their ids, and a token of each, by which the next
-- ones are found. Newest first, or in the wall's own order.
local function next_notes(topic, on_wall, after, count)
  local order, ids, tokens = 'order:{' .. topic .. '}', {}, {}
  local known = on_wall and known_until(topic) or '0'
  local created = after and tonumber(string.match(after, '^%d+$'))
  if created and created <= tonumber(known) then
    after = natural(created) .. '.' -- it has come into the wall's own order since
  end
  if not after or string.match(after, '^%d+$') then
    local oldest = '(' .. known
    local found = redis.call('ZRANGE', order, after and '(' .. after or '+inf', oldest, 'BYSCORE', 'REV',
      'LIMIT', 0, count, 'WITHSCORES')
    for i = 1, #found, 2 do
      ids[#ids + 1], tokens[#tokens + 1] = found[i], found[i + 1]
    end
    if #ids > 0 or not on_wall then
      return ids, tokens
    end
    after = nil
  end
  local board = string.gsub(topic, '^board:', '')
  tokens = redis.call('ZRANGE', order .. ':wall', after and '(' .. after or '+', '-', 'BYLEX', 'REV', 'LIMIT', 0, count)
  for i, token in ipairs(tokens) do
    ids[i] = board .. '.' .. hex(token)
  end
  return ids, tokens
end
