-- Where a note and its event become one step: nobody ever sees a note without its event, nor an event
-- without its note. Appended to the kit's functions.lua, whose `append` and `once` it uses,
-- and to deleted.lua and places.lua. boards.lua follows.
--
-- Keys beside those of the topic T of a board, with the same hash tag:
--   notes:{T}    hash    note id -> the note as JSON
--   folded:{T}   hash    note id -> its text, case folded, for search
--   order:{T}    zset    note id -> offset of its creation: newest first, and stable pages
-- Beside them, because they are not of one board:
--   order:{boards}        zset   topic of a board -> 0, or since when it has no note (Unix time)
--   idem:{notes}          hash   Idempotency-Key -> fingerprint of the request, note; its fields expire
--   idem:{notes}:CLIENT   zset   its keys -> how many bytes were remembered for it until then
-- So creates and deletes declare keys of two slots, and a cluster would refuse them: the demo does not start on one.
--
-- Every other write has a name of its own, `call`. It is remembered in once:{T} for a while, so that the app may
-- send a call again when the connection was lost before the answer came.

local IDEMPOTENCY_SECONDS = 24 * 60 * 60
local CALL_SECONDS = 60
local FULL_HISTORY = 100 -- a full Redis keeps a hundredth of it
-- For one client. A key costs its text twice, the note, and about so much more.
local IDEMPOTENCY_BYTES, KEY_BYTES = 8 * 1024 * 1024, 400

local function encode(note)
  return '{"id":' .. cjson.encode(note.id) .. ',"board":' .. cjson.encode(note.board)
    .. ',"text":' .. cjson.encode(note.text) .. ',"color":' .. cjson.encode(note.color)
    .. (note.author and ',"author":' .. cjson.encode(note.author) or '') .. NAME .. note.position .. '"'
    .. ',"done":' .. tostring(note.done) .. ',"version":' .. string.format('%d', note.version)
    .. ',"created_at":' .. cjson.encode(note.created_at)
    .. ',"updated_at":' .. cjson.encode(note.updated_at) .. '}'
end

-- The version of a note that is changed. One that a history has given to it which is over never comes again: it
-- would be the ETag of something else. `created` is the offset of its creation; nil when it hangs on the board.
local function next_version(a, note, created)
  epoch_of(a.topic, a)
  local found = redis.call('HMGET', 'topic:{' .. a.topic .. '}', 'past', 'ground')
  local past, ground = tonumber(found[1]), tonumber(found[2])
  if not ground or note.version >= ground then
    return note.version + 1
  end
  return tonumber(created or created_at(a.topic, note.id)) <= past and ground or note.version + 1
end

local function save(a, note)
  local json = encode(note)
  local id, offset = append(a.topic, a, json)
  redis.call('HSET', 'notes:{' .. a.topic .. '}', note.id, json)
  if a.folded then
    redis.call('HSET', 'folded:{' .. a.topic .. '}', note.id, a.folded)
  end
  return json, id, offset
end

-- Runs `write`, which answers the id of its event, and gives { verb, note }; or what `write` says instead of an
-- id. A call that was carried out before gives the same again: only the id is remembered, and the note is taken
-- from the event; {'unknown'} when the topic no longer has it.
local function once_a_call(a, verb, write)
  local note, refusal
  local id = once('once:{' .. a.topic .. '}', a.call, CALL_SECONDS, function()
    local id
    id, note, refusal = write()
    return id
  end)
  if refusal then
    return refusal
  end
  if not note then
    local entry = string.match(id, '-(%d+)$') .. '-0'
    local found = redis.call('XRANGE', 'stream:{' .. a.topic .. '}', entry, entry)[1]
    note = found and string.match(found[2][2], ',"data":(.*)}$')
  end
  return note and { verb, note } or { 'unknown' }
end

-- Counts what is remembered for a client, and forgets its oldest keys when that is too much.
local function charge(memory, client, key, bytes)
  local last = redis.call('ZRANGE', client, -1, -1, 'WITHSCORES')
  local total = (last[2] or 0) + bytes
  redis.call('ZADD', client, total, key)
  redis.call('EXPIRE', client, IDEMPOTENCY_SECONDS)
  for _, old in ipairs(redis.call('ZRANGE', client, '-inf', total - IDEMPOTENCY_BYTES, 'BYSCORE', 'LIMIT', 0, 100)) do
    redis.call('HDEL', memory, old)
    redis.call('ZREM', client, old)
  end
end

-- Forgets the board that has been empty for longest: who still listens there is told to fetch its notes again.
local function forget_a_board(boards)
  for _, topic in ipairs(redis.call('ZRANGE', boards, '(0', '+inf', 'BYSCORE', 'LIMIT', 0, 10)) do
    local tag = ':{' .. topic .. '}'
    if not has('order' .. tag, 1) then
      redis.call('DEL', 'topic' .. tag, 'stream' .. tag, 'once' .. tag)
      for _, kind in ipairs(KINDS) do
        redis.call('DEL', kind .. tag .. ':deleted')
      end
      redis.call('DEL', 'order' .. tag .. ':wall', 'order' .. tag .. ':places')
      redis.call('ZREM', boards, topic)
      return true
    end
    redis.call('ZADD', boards, 0, topic) -- an app of the version before wrote there
  end
end

-- Why there may be no such board; nil, and the board is known, when it may. `empty_since`: 0 when it has a note.
local function no_room_for_board(boards, a, empty_since)
  local is_new = redis.call('ZADD', boards, 'NX', 0, a.topic) == 1
  if is_new and not has('order:{' .. a.topic .. '}', 1) and has(boards, a.max_boards + 1)
    and not forget_a_board(boards) then
    redis.call('ZREM', boards, a.topic)
    return { 'full', 'boards' }
  end
  redis.call('ZADD', boards, empty_since, a.topic)
end

-- Why the board takes no further note; nil, and the board is known, when it does.
local function no_room(boards, a)
  if has('order:{' .. a.topic .. '}', a.max_notes) then
    return { 'full', 'board' }
  end
  return no_room_for_board(boards, a, 0)
end

-- The time of a new note. `created_at` never goes back on a board, so that it has the order of the list, also when a
-- clock is set back or two of them differ.
local function time_of_new(a)
  local newest = redis.call('ZRANGE', 'order:{' .. a.topic .. '}', -1, -1)[1]
  local json = newest and redis.call('HGET', 'notes:{' .. a.topic .. '}', newest)
  local before = json and string.match(json, '"created_at":"([^"]*)","updated_at":"[^"]*"}$')
  return before and before > a.time and before or a.time
end

-- note_create: {'created', note}, also for a repeat, {'full', 'board' or 'boards'}, {'behind'}, or {'mismatch'} when
-- the key came with another request. With an Idempotency-Key there are two more keys: of what is remembered, and of what
-- this client has.
local function note_create(keys, args)
  local a = cjson.decode(args[1])
  local refusal
  local function write()
    local note = a.note
    local place = note.position
    note.position = place or natural((redis.call('HGET', 'topic:{' .. a.topic .. '}', 'offset') or 0) + 1)
    place = place or is_among(a.topic, note.position)
    refusal = full(a) or place and not catch_up(a.topic) and { 'behind' } or no_room(keys[2], a)
    if refusal then
      return nil, nil, refusal
    end
    make_room(a)
    local time = time_of_new(a)
    note.version, note.created_at, note.updated_at = 1, time, time
    local json, id, offset = save(a, note)
    redis.call('ZADD', 'order:{' .. a.topic .. '}', offset, note.id)
    if place then
      hang(a.topic, note.id, note.position)
    end
    return id, json
  end
  if not keys[3] then
    return once_a_call(a, 'created', write)
  end
  local answer = once(keys[3], a.idempotency_key, IDEMPOTENCY_SECONDS, function()
    local id, json = write()
    if not id then
      return nil
    end
    local remembered = a.fingerprint .. ' ' .. json
    charge(keys[3], keys[4], a.idempotency_key, #remembered + 2 * #a.idempotency_key + KEY_BYTES)
    return remembered
  end)
  if refusal then
    return refusal
  end
  local fingerprint, note = string.match(answer, '^(%S+) (.*)$')
  if fingerprint ~= a.fingerprint then
    return { 'mismatch' }
  end
  return { 'created', note }
end

-- Whether the caller accepts this version: one of `versions`, any when absent.
local function accepts(a, version)
  for _, accepted in ipairs(a.versions or { version }) do
    if accepted == version then
      return true
    end
  end
  return false
end

-- Finds a note for a change.
local function find(a)
  local json = redis.call('HGET', 'notes:{' .. a.topic .. '}', a.id)
  if not json then
    return nil, { 'missing' }
  end
  json = with_position(json, a.topic, a.id)
  local note = cjson.decode(json)
  if accepts(a, note.version) then
    return note, json
  end
  return nil, { 'conflict', json }
end

-- note_get: the note, nil when there is none. For notes that version 2.0 wrote, which do not say where they hang.
local function note_get(_, args)
  local a = cjson.decode(args[1])
  local _, json = find(a)
  return type(json) == 'string' and json or nil
end

-- note_update: {'updated', note}, {'missing'}, {'conflict', note as it is}, or {'behind'}: to be called again, since
-- notes have to be brought into the wall's own order first, some in each call.
local function note_update(_, args)
  local a = cjson.decode(args[1])
  return once_a_call(a, 'updated', function()
    local note, refusal = find(a)
    local place = a.changes.position
    if note then
      refusal = full(a) or place and not catch_up(a.topic) and { 'behind' } or nil
    end
    if refusal then
      return nil, nil, refusal
    end
    for field, value in pairs(a.changes) do
      note[field] = value
    end
    note.version, note.updated_at = next_version(a, note), a.time
    local json, id = save(a, note)
    if place then
      hang(a.topic, a.id, place)
    end
    return id, json
  end)
end

-- note_delete: {'deleted', note as it was}, {'missing'} or {'conflict', note as it is}. Also when Redis is full.
local function note_delete(keys, args)
  local a = cjson.decode(args[1])
  return once_a_call(a, 'deleted', function()
    local note, json = find(a)
    if not note then
      return nil, nil, json
    end
    if full(a) then
      -- Its event may need more than the note did, and notes are worth more than history.
      a.history = math.ceil(a.history / FULL_HISTORY)
    else
      keep_deleted(a.topic, a.id, json)
    end
    local id = append(a.topic, a, json)
    redis.call('HDEL', 'notes:{' .. a.topic .. '}', a.id)
    redis.call('HDEL', 'folded:{' .. a.topic .. '}', a.id)
    local order = 'order:{' .. a.topic .. '}'
    redis.call('ZREM', order, a.id)
    unhang(a.topic, a.id)
    if not has(order, 1) then
      redis.call('ZADD', keys[2], redis.call('TIME')[1], a.topic)
    end
    return id, json
  end)
end

-- note_restore: a note that was deleted within the last hour hangs where it hung before, at its next version:
-- {'restored', note}, also when it hangs there already, {'missing'}, {'behind'}, or {'full', 'board' or 'boards'}.
local function note_restore(keys, args)
  local a = cjson.decode(args[1])
  return once_a_call(a, 'restored', function()
    local here = redis.call('HGET', 'notes:{' .. a.topic .. '}', a.id)
    if here then
      return nil, nil, { 'restored', with_position(here, a.topic, a.id) }
    end
    local offset, json, folded = find_deleted(a.topic, a.id)
    if not offset then
      return nil, nil, { 'missing' }
    end
    local note = cjson.decode(json)
    note.position = note.position or natural(tonumber(offset))
    local place = known_until(a.topic) ~= '0' or note.position ~= natural(tonumber(offset))
    local refusal = full(a) or place and not catch_up(a.topic) and { 'behind' } or no_room(keys[2], a)
    if refusal then
      return nil, nil, refusal
    end
    forget_deleted(a.topic, { a.id })
    note.version, note.updated_at, a.folded = next_version(a, note, offset), a.time, folded
    local id
    json, id = save(a, note)
    redis.call('ZADD', 'order:{' .. a.topic .. '}', offset, a.id)
    if place then
      hang(a.topic, a.id, note.position)
    end
    return id, json
  end)
end

-- How much text a call looks at. The worst one can ask for is "aaa...b" in notes of nothing but "a", about 12 ns
-- a byte; a note costs something even when it is short. Whoever wants more calls again, and lets others in between.
local STEP_BYTES, NOTE_BYTES = 128 * 1024, 128
local CHUNK = 20

-- note_list: a part of a page of notes, newest first or as they hang on the wall, and the position and title that it
-- reflects: {cursor, token of the last note looked at or '' at the end, {note, ...}, title, version of the title}.
local function note_list(_, args)
  local a = cjson.decode(args[1])
  local position = redis.call('HMGET', 'topic:{' .. a.topic .. '}', 'epoch', 'offset', 'title', 'title_version')
  local title, version = position[3] or '', position[4] or '0'
  local cursor = (position[1] or '0') .. '-' .. (position[2] or '0')
  local notes, folded = 'notes:{' .. a.topic .. '}', 'folded:{' .. a.topic .. '}'
  -- Inside a JSON string a quote follows a backslash, so no text can look like this.
  local done = a.done ~= nil and '"done":' .. tostring(a.done)
  local is_search = a.q or done
  local after = a.after
  local found, looked_at = {}, 0
  while true do
    local ids, tokens = next_notes(a.topic, a.on_wall, after, is_search and CHUNK or a.limit)
    if #ids == 0 then
      return { cursor, '', found, title, version }
    end
    for i, text in ipairs(redis.call('HMGET', a.q and folded or notes, unpack(ids))) do
      after = tokens[i]
      looked_at = looked_at + (text and #text or 0) + NOTE_BYTES
      if text and (not a.q or string.find(text, a.q, 1, true)) then
        local note = a.q and redis.call('HGET', notes, ids[i]) or text
        if not done or string.find(note, done, 1, true) then
          -- A token of the wall's own order is known there, so that nobody has to know the offset.
          found[#found + 1] = with_position(note, a.topic, ids[i], after)
        end
      end
      if #found == a.limit or (is_search and looked_at >= STEP_BYTES) then
        return { cursor, #next_notes(a.topic, a.on_wall, after, 1) > 0 and after or '', found, title, version }
      end
    end
  end
end

redis.register_function{ function_name = 'note_get_@VERSION@', callback = note_get, flags = { 'allow-oom' } }
redis.register_function('note_create_@VERSION@', note_create)
redis.register_function('note_update_@VERSION@', note_update)
redis.register_function('note_restore_@VERSION@', note_restore)
redis.register_function{ function_name = 'note_delete_@VERSION@', callback = note_delete, flags = { 'allow-oom' } }
redis.register_function{ function_name = 'note_list_@VERSION@', callback = note_list, flags = { 'no-writes' } }
