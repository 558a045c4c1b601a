-- Where a note and its event become one step: nobody ever sees a note without its event, nor an event
-- without its note. Appended to the kit's functions.lua, whose `append` and `once` it uses.
--
-- Keys beside those of the topic T of a board, with the same hash tag:
--   notes:{T}    hash    note id -> the note as JSON
--   folded:{T}   hash    note id -> its text, case folded, for search
--   order:{T}    zset    note id -> offset of its creation: newest first, and stable pages
-- Beside them idem:{notes}, a hash: Idempotency-Key -> fingerprint of the request, note; its fields expire. A
-- key belongs to one request, whichever board that names, so it cannot live with a board: a keyed create
-- declares two keys, and a cluster would refuse it.

local IDEMPOTENCY_SECONDS = 24 * 60 * 60

local function encode(note)
  return '{"id":' .. cjson.encode(note.id) .. ',"board":' .. cjson.encode(note.board)
    .. ',"text":' .. cjson.encode(note.text) .. ',"color":' .. cjson.encode(note.color)
    .. ',"done":' .. tostring(note.done) .. ',"version":' .. string.format('%d', note.version)
    .. ',"created_at":' .. cjson.encode(note.created_at)
    .. ',"updated_at":' .. cjson.encode(note.updated_at) .. '}'
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

-- note_create: {'created', note}, also for a repeat, or {'mismatch'} when the key came with another request.
-- The second key is there when the request has an Idempotency-Key.
local function note_create(keys, args)
  local a = cjson.decode(args[1])
  local function write()
    local note = a.note
    note.version, note.created_at, note.updated_at = 1, a.time, a.time
    local json, offset = save(a, note)
    redis.call('ZADD', 'order:{' .. a.topic .. '}', offset, note.id)
    return json
  end
  if not keys[2] then
    return { 'created', write() }
  end
  local answer = once(keys[2], a.idempotency_key, IDEMPOTENCY_SECONDS, function()
    return a.fingerprint .. ' ' .. write()
  end)
  local fingerprint, note = string.match(answer, '^(%S+) (.*)$')
  if fingerprint ~= a.fingerprint then
    return { 'mismatch' }
  end
  return { 'created', note }
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
  local done = a.done ~= nil and '"done":' .. tostring(a.done)
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

redis.register_function('note_create_@VERSION@', note_create)
redis.register_function('note_update_@VERSION@', note_update)
redis.register_function('note_delete_@VERSION@', note_delete)
redis.register_function{ function_name = 'note_list_@VERSION@', callback = note_list, flags = { 'no-writes' } }
