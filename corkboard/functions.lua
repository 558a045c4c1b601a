#!lua name=corkboard_@VERSION@

-- Where a write and its event become one step. Redis runs a function without interruption, so nobody
-- ever sees a note without its event, nor an event without its note.
--
-- Keys of a topic T, all with the hash tag {T}, so that they live in one slot of a cluster:
--   topic:{T}    hash    epoch, offset: the position of the topic
--   stream:{T}   stream  the last events; the entry OFFSET-0 has the field `event`
--   notes:{T}    hash    note id -> the note as JSON
--   folded:{T}   hash    note id -> its text, case folded, for search
--   order:{T}    zset    note id -> offset of its creation: newest first, and stable pages
--   idem:{T}     hash    idempotency key -> fingerprint, outcome, note;  idem:{T}:age tells the oldest
-- Beside them revoked:{control}, a zset: subject -> tickets issued until then (Unix time) are void, and
-- presence:{T}, a hash of the sidecars: process -> how many listen there; its fields expire.
-- Channel event:{T} carries "EPOCH-OFFSET JSON".
--
-- A caller declares topic:{T} only: it decides the slot, and the other keys are in the same one.
-- @VERSION@ is a digest of this file, put in by whoever loads it: during a rolling upgrade the old app
-- calls the old functions and the new app the new ones. Arguments come by name, as one JSON object.

local IDEMPOTENCY_SECONDS = 24 * 60 * 60
local IDEMPOTENCY_KEYS = 10000 -- a topic; the oldest go first

-- Redis gives functions no random numbers of their own (the seed is fixed), but it gives the time.
local function new_epoch()
  local now = redis.call('TIME')
  return string.format('%x%05x', now[1], now[2])
end

local function append(topic, a, data)
  local meta, stream = 'topic:{' .. topic .. '}', 'stream:{' .. topic .. '}'
  local epoch = redis.call('HGET', meta, 'epoch')
  if not epoch then
    epoch = new_epoch()
    redis.call('DEL', stream) -- of an epoch that is over, where only part of the topic was lost
    redis.call('HSET', meta, 'epoch', epoch)
  end
  local offset = redis.call('HINCRBY', meta, 'offset', 1)
  local id = epoch .. '-' .. string.format('%d', offset)
  local event = '{"op":"event","topic":' .. cjson.encode(topic) .. ',"id":"' .. id
    .. '","type":' .. cjson.encode(a.type) .. ',"time":' .. cjson.encode(a.time)
    .. ',"request_id":' .. cjson.encode(a.request_id) .. ',"data":' .. data .. '}'
  redis.call('XADD', stream, 'MAXLEN', '=', a.history, string.format('%d-0', offset), 'event', event)
  redis.call('PUBLISH', 'event:{' .. topic .. '}', id .. ' ' .. event)
  return id, offset
end

local function encode(note)
  return '{"id":' .. cjson.encode(note.id) .. ',"board":' .. cjson.encode(note.board)
    .. ',"text":' .. cjson.encode(note.text) .. ',"color":' .. cjson.encode(note.color)
    .. ',"done":' .. tostring(note.done) .. ',"version":' .. string.format('%d', note.version)
    .. ',"created_at":' .. cjson.encode(note.created_at)
    .. ',"updated_at":' .. cjson.encode(note.updated_at) .. '}'
end

local function forget_old(idem, age, now)
  local old = redis.call('ZRANGE', age, '-inf', '(' .. (now - IDEMPOTENCY_SECONDS), 'BYSCORE', 'LIMIT', 0, 100)
  local surplus = redis.call('ZCARD', age) - #old - IDEMPOTENCY_KEYS
  if surplus > 0 then
    old = redis.call('ZRANGE', age, 0, #old + surplus - 1)
  end
  if #old > 0 then
    redis.call('HDEL', idem, unpack(old))
    redis.call('ZREM', age, unpack(old))
  end
end

-- Runs `write` unless this idempotency key was seen: then answers what it answered, or 'mismatch' when
-- the request was another one.
local function once(a, write)
  local key = a.idempotency_key
  if not key then
    return write()
  end
  local idem = 'idem:{' .. a.topic .. '}'
  local age = idem .. ':age'
  local seen = redis.call('HGET', idem, key)
  if seen then
    local fingerprint, outcome, note = string.match(seen, '^(%S+) (%S+) (.*)$')
    if fingerprint ~= a.fingerprint then
      return { 'mismatch' }
    end
    return { outcome, note }
  end
  local answer = write()
  local now = tonumber(redis.call('TIME')[1])
  redis.call('HSET', idem, key, a.fingerprint .. ' ' .. answer[1] .. ' ' .. (answer[2] or ''))
  redis.call('ZADD', age, now, key)
  redis.call('EXPIRE', idem, IDEMPOTENCY_SECONDS)
  redis.call('EXPIRE', age, IDEMPOTENCY_SECONDS)
  forget_old(idem, age, now)
  return answer
end

-- publish(arguments, data): any event with any data, for apps that keep their data elsewhere.
local function publish(_, args)
  local a = cjson.decode(args[1])
  return (append(a.topic, a, args[2]))
end

-- reserve: an idempotency key belongs to one request, whichever topic that is about.
local function reserve(_, args)
  return once(cjson.decode(args[1]), function()
    return { 'reserved' }
  end)
end

-- revoke: tickets of a subject that were issued until now open nothing any more. The channel only says that
-- something changed; old entries go when no ticket can be that old.
local function revoke(_, args)
  local a = cjson.decode(args[1])
  local key = 'revoked:{' .. a.topic .. '}'
  redis.call('ZADD', key, a.now, a.subject)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', a.now - a.seconds)
  redis.call('PUBLISH', a.topic, a.subject)
end

local function save(a, note)
  local json = encode(note)
  local _, offset = append(a.topic, a, json)
  redis.call('HSET', 'notes:{' .. a.topic .. '}', note.id, json)
  if a.folded then
    redis.call('HSET', 'folded:{' .. a.topic .. '}', note.id, a.folded)
  end
  return json, offset
end

-- note_create: {'created', note} or {'mismatch'}.
local function note_create(_, args)
  local a = cjson.decode(args[1])
  return once(a, function()
    local note = a.note
    note.version, note.created_at, note.updated_at = 1, a.time, a.time
    local json, offset = save(a, note)
    redis.call('ZADD', 'order:{' .. a.topic .. '}', offset, note.id)
    return { 'created', json }
  end)
end

-- Finds a note for a change; `versions` are those that the caller accepts, any when absent.
local function find(a)
  local json = redis.call('HGET', 'notes:{' .. a.topic .. '}', a.id)
  if not json then
    return nil, { 'missing' }
  end
  local note = cjson.decode(json)
  for _, version in ipairs(a.versions or { note.version }) do
    if version == note.version then
      return note, json
    end
  end
  return nil, { 'conflict', json }
end

-- note_update: {'updated', note}, {'missing'} or {'conflict', note as it is}.
local function note_update(_, args)
  local a = cjson.decode(args[1])
  local note, refusal = find(a)
  if not note then
    return refusal
  end
  for field, value in pairs(a.changes) do
    note[field] = value
  end
  note.version, note.updated_at = note.version + 1, a.time
  return { 'updated', (save(a, note)) }
end

-- note_delete: {'deleted', note as it was}, {'missing'} or {'conflict', note as it is}.
local function note_delete(_, args)
  local a = cjson.decode(args[1])
  local note, json = find(a)
  if not note then
    return json
  end
  append(a.topic, a, json)
  redis.call('HDEL', 'notes:{' .. a.topic .. '}', a.id)
  redis.call('HDEL', 'folded:{' .. a.topic .. '}', a.id)
  redis.call('ZREM', 'order:{' .. a.topic .. '}', a.id)
  return { 'deleted', json }
end

local LOOK_AT = 5000 -- notes a call: a search in a large board takes several calls, none of them long
local CHUNK = 500

-- note_list: a page of notes, newest first, and the position that it reflects:
-- {cursor, offset of the last note looked at or '' at the end, {note, ...}}.
local function note_list(_, args)
  local a = cjson.decode(args[1])
  local position = redis.call('HMGET', 'topic:{' .. a.topic .. '}', 'epoch', 'offset')
  local cursor = (position[1] or '0') .. '-' .. (position[2] or '0')
  -- Inside a JSON string a quote follows a backslash, so no text can look like this.
  local done = a.done ~= nil and ',"done":' .. tostring(a.done) .. ',"version":'
  local chunk = (a.q or done) and CHUNK or a.limit
  local before = a.before and string.format('%d', a.before)
  local found, looked_at = {}, 0
  while true do
    local order = redis.call('ZRANGE', 'order:{' .. a.topic .. '}', before and '(' .. before or '+inf', '-inf',
      'BYSCORE', 'REV', 'LIMIT', 0, chunk, 'WITHSCORES')
    if #order == 0 then
      return { cursor, '', found }
    end
    local ids = {}
    for i = 1, #order, 2 do
      ids[#ids + 1] = order[i]
    end
    local notes = redis.call('HMGET', 'notes:{' .. a.topic .. '}', unpack(ids))
    local texts = a.q and redis.call('HMGET', 'folded:{' .. a.topic .. '}', unpack(ids))
    for i, note in ipairs(notes) do
      before = order[2 * i]
      looked_at = looked_at + 1
      if (not texts or string.find(texts[i], a.q, 1, true)) and (not done or string.find(note, done, 1, true)) then
        found[#found + 1] = note
        if #found == a.limit then
          break
        end
      end
    end
    if #found == a.limit or looked_at >= LOOK_AT then
      local rest = redis.call('ZRANGE', 'order:{' .. a.topic .. '}', '(' .. before, '-inf', 'BYSCORE', 'REV',
        'LIMIT', 0, 1)
      return { cursor, #rest > 0 and before or '', found }
    end
  end
end

redis.register_function('publish_@VERSION@', publish)
redis.register_function('reserve_@VERSION@', reserve)
redis.register_function('revoke_@VERSION@', revoke)
redis.register_function('note_create_@VERSION@', note_create)
redis.register_function('note_update_@VERSION@', note_update)
redis.register_function('note_delete_@VERSION@', note_delete)
redis.register_function{ function_name = 'note_list_@VERSION@', callback = note_list, flags = { 'no-writes' } }
