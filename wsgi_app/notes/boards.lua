-- The title of a board, in whatever language; its name in addresses never changes. Two more fields of its topic's hash,
-- so that a list reads them with its position, and whichever version forgets the board forgets them:
--   topic:{T}    hash    title; title_version: how often it was changed

local function encode_board(slug, title, version)
  return '{"slug":' .. cjson.encode(slug) .. ',"title":' .. cjson.encode(title) .. ',"version":'
    .. string.format('%d', version) .. '}'
end

-- board_update: {'updated', board}, also when it has this title already, whatever its version: so one who repeats
-- what was done is told so. Else {'conflict', board as it is} or {'full', 'boards'}.
local function board_update(keys, args)
  local a = cjson.decode(args[1])
  local meta = 'topic:{' .. a.topic .. '}'
  return once_a_call(a, 'updated', function()
    local known = redis.call('HMGET', meta, 'title', 'title_version')
    local title, version = known[1] or '', tonumber(known[2] or 0)
    local json = encode_board(a.slug, title, version)
    if title == a.title then
      return nil, nil, { 'updated', json }
    end
    if not accepts(a, version) then
      return nil, nil, { 'conflict', json }
    end
    local empty_since = has('order:{' .. a.topic .. '}', 1) and 0 or redis.call('TIME')[1]
    local refusal = full() or no_room_for_board(keys[2], a, empty_since)
    if refusal then
      return nil, nil, refusal
    end
    epoch_of(a.topic, a)
    -- As of notes: a version of a history that is over never comes again.
    version = math.max(version + 1, redis.call('HGET', meta, 'ground') or 0)
    json = encode_board(a.slug, a.title, version)
    local id = append(a.topic, a, json)
    redis.call('HSET', meta, 'title', a.title, 'title_version', string.format('%d', version))
    return id, json
  end)
end

redis.register_function('board_update_@VERSION@', board_update)
