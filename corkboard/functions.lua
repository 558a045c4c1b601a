#!lua name=corkboard_@VERSION@

-- Where an event gets its number. Redis runs a function without interruption, so no two events of a topic
-- have the same one, and no event is seen without it.
--
-- Keys of a topic T, all with the hash tag {T}, so that they live in one slot of a cluster:
--   topic:{T}    hash    epoch, offset: the position of the topic. After an earlier history has ended also
--                        past: the last offset of that history; ground: a number above all versions that it gave out.
--                        In a cluster also master: the mark of the master that wrote there last, NODE/TERM; and waited,
--                        which is written before WAIT
--   stream:{T}   stream  the last events; the entry OFFSET-0 has the field `event`
--   once:{T}     hash    key of an event -> its id; fields expire
-- Beside them revoked:{control}, a zset: subject -> tickets issued until then (Unix time) are void, and
-- two hashes of the sidecars, which expire: presence:{all}:processes, and presence:{all}:of:PROCESS: topic -> how many
-- listen there.
-- And fence:{master}, the mark of the master that wrote last: NODE/PROMOTION/ERA. Every epoch begins with the era. A
-- node of * stands for any: the first master that writes takes over the era.
-- The channel event:{T} carries "EPOCH-OFFSET JSON"; in a cluster it is a sharded one. On whisper:{T} sidecars pass on
-- what clients say to each other.
--
-- A caller declares topic:{T}: it decides the slot, and the other keys are in the same one. In a cluster it declares all
-- keys that the call uses: while a slot is moved key by key, a call runs with all of them or not at all.
-- @VERSION@ is a digest of the library, put in by whoever loads it: during a rolling upgrade the old app
-- calls the old functions and the new app the new ones. An app appends functions of its own below.

-- Redis gives functions no random numbers of their own (the seed is fixed), but it gives the time.
local function new_epoch()
  local now = redis.call('TIME')
  return string.format('%x%05x', now[1], now[2])
end

-- When Redis uses this share of `maxmemory`, nothing is added. The rest is for what frees memory or protects
-- somebody, and for commands that know no exception, such as the loading of another version's functions.
local FULL = 0.95

-- What INFO says about this server. Empty when this user may not run INFO: then only Redis' own memory limit applies,
-- and failovers are not noticed. A server of a cluster has a mark. Its term is another one after each failover, and
-- after it has taken over a slot that another server had.
local function ask()
  local info = redis.pcall('INFO', 'server', 'memory', 'replication', 'cluster')
  if type(info) ~= 'string' then
    return {}
  end
  local function number(name)
    return tonumber(string.match(info, '\n' .. name .. ':(%d+)'))
  end
  -- What a service keeps to itself is taken for absent.
  local limit = number('maxmemory') or 0
  -- A server that was a replica, and became a master, keeps the old master's id as its second one until it restarts.
  local before = string.match(info, '\nmaster_replid2:(%x+)') or ''
  local found = {
    full = limit > 0 and number('used_memory') - number('mem_not_counted_for_evict') > FULL * limit,
    node = string.match(info, '\nconfig_file:[^\r\n]*node%-(%x+)%.conf') or '',
    promotion = string.find(before, '[^0]') and before .. ':' .. number('second_repl_offset') or '',
    id = string.match(info, '\nmaster_replid:(%x+)') or '',
  }
  if string.find(info, '\ncluster_enabled:1', 1, true) then
    local node, said = redis.pcall('CLUSTER', 'MYID'), redis.pcall('CLUSTER', 'INFO')
    local term = type(said) == 'string' and string.match(said, 'cluster_my_epoch:(%d+)')
    -- Where this user may not ask, every restart of a master counts as a failover.
    found.mark = type(node) == 'string' and term and node .. '/' .. term or found.id
  end
  return found
end

local asked_at, answer = '', nil

-- The result of ask(), cached for a hundredth of a second, because INFO costs as much as an event.
local function about()
  local now = redis.call('TIME')
  local tick = now[1] .. math.floor(now[2] / 10000)
  if tick ~= asked_at then
    asked_at, answer = tick, ask()
  end
  return answer
end

-- The same, once for a call: neither the master nor its term can change meanwhile. The table `a` belongs to the call.
local function server(a)
  a.about = a.about or about()
  return a.about
end

-- The error for a caller that would add something to a full Redis, else nil.
local function full(a)
  return server(a or {}).full and redis.error_reply('OOM nothing is added: the rest of maxmemory is for deletes') or nil
end

local FENCE = 'fence:{master}'

-- The mark that the master `me` leaves when it finds `mark`, and the era.
local function succeed(mark, me)
  local node, promotion, now = string.match(mark or '*//', '^([^/]*)/([^/]*)/(%w*)$')
  local is_mine = node == me.node and (me.promotion == '' or me.promotion == promotion)
  if is_mine then
    return mark, now
  end
  if node ~= '*' or me.promotion ~= '' then
    now = 'f' .. new_epoch() .. string.sub(me.id, 1, 4)
  end
  return me.node .. '/' .. me.promotion .. '/' .. now, now
end

local known, known_by, known_era

-- The era, with which the epoch of every topic begins. A replica may lack the last events of its master. When it becomes
-- the master, it gives their numbers to other events. So a master that finds the mark of another one begins a new era,
-- and with it new epochs, before its first event. A master that restarts finds its own mark. It returns '' where the
-- mark cannot be read, and in a cluster, which has several masters.
local function era(a)
  local me = server(a)
  if me.mark then
    return ''
  end
  local mark = redis.pcall('GET', FENCE)
  if mark and mark == known and me == known_by then
    return known_era
  end
  if not me.id or (mark and mark.err) then
    return ''
  end
  known, known_era = succeed(mark, me)
  known_by = me
  if known ~= mark then
    redis.call('SET', FENCE, known)
  end
  return known_era
end

-- The epoch of a topic for what is about to be written; a new one where there is none, or where it is of another era.
-- Also where another master of a cluster wrote last, or this one in another term. Whether that master died, or the slot
-- was moved, and whether somebody wrote in between and was lost, nothing here tells.
local function epoch_of(topic, a)
  a.era = a.era or era(a)
  local meta, me = 'topic:{' .. topic .. '}', server(a)
  local epoch = redis.call('HGET', meta, 'epoch')
  local goes_on = epoch and string.sub(epoch, 1, #a.era) == a.era
  if me.mark and redis.call('HGET', meta, 'master') ~= me.mark then
    redis.call('HSET', meta, 'master', me.mark)
    goes_on = false
  end
  if goes_on then
    return epoch
  end
  if epoch then
    local before = redis.call('HMGET', meta, 'offset', 'ground')
    -- Unix time in milliseconds; above the previous one even if this machine's clock is behind the other one's.
    local ground = math.max(redis.call('TIME')[1] * 1000, (before[2] or 0) + 1000000000)
    redis.call('HSET', meta, 'past', before[1] or 0, 'ground', string.format('%d', ground))
  end
  epoch = a.era .. new_epoch() .. (me.mark and string.sub(me.id, 1, 4) or '')
  redis.call('DEL', 'stream:{' .. topic .. '}') -- of an epoch that is over
  redis.call('HSET', meta, 'epoch', epoch)
  return epoch
end

-- a: type, time, request_id, and history: how many events the topic keeps. data: JSON.
local function append(topic, a, data)
  local meta, stream = 'topic:{' .. topic .. '}', 'stream:{' .. topic .. '}'
  local epoch = epoch_of(topic, a)
  local offset = redis.call('HINCRBY', meta, 'offset', 1)
  local id = epoch .. '-' .. string.format('%d', offset)
  local event = '{"op":"event","topic":' .. cjson.encode(topic) .. ',"id":"' .. id
    .. '","type":' .. cjson.encode(a.type) .. ',"time":' .. cjson.encode(a.time)
    .. ',"request_id":' .. cjson.encode(a.request_id) .. ',"data":' .. data .. '}'
  redis.call('XADD', stream, 'MAXLEN', '=', a.history, string.format('%d-0', offset), 'event', event)
  -- In a cluster PUBLISH would go to every server. This one goes to those that have the slot.
  redis.call(server(a).mark and 'SPUBLISH' or 'PUBLISH', 'event:{' .. topic .. '}', id .. ' ' .. event)
  return id, offset
end

-- Runs `write` unless `key` was seen within `keep` seconds; then answers what `write` answered. Nil is not
-- remembered. Each key is forgotten by itself, so what is remembered is bounded by the rate of keyed writes and
-- by `keep`.
local function once(memory, key, keep, write)
  local seen = redis.call('HGET', memory, key)
  if seen then
    return seen
  end
  local answer = write()
  if answer then
    redis.call('HSET', memory, key, answer)
    redis.call('HEXPIRE', memory, keep, 'FIELDS', 1, key)
  end
  return answer
end

local function age(time)
  local now = redis.call('TIME')
  return now[1] + now[2] / 1000000 - time
end

-- publish(facts, then topic, type, key or '', data of each event): their ids. The keys are the topics'.
-- `facts` are time, request_id, history, and what is to be remembered: the keys of these events for `keep`
-- seconds; those in `gone`, by topic, which can only be repeated by a caller that has read them already, for
-- `gone_keep` seconds. A caller that read its events at `read_at`, over `fresh` seconds ago, gets LATE.
local function publish(_, args)
  local a = cjson.decode(args[1])
  if a.read_at > 0 and age(a.read_at) > a.fresh then
    return redis.error_reply('LATE the events were read too long ago')
  end
  local refusal = full(a)
  if refusal then
    return refusal
  end
  for topic, keys in pairs(a.gone) do
    redis.call('HEXPIRE', 'once:{' .. topic .. '}', a.gone_keep, 'FIELDS', #keys, unpack(keys))
  end
  local ids = {}
  for i = 2, #args, 4 do
    local topic, key, data = args[i], args[i + 2], args[i + 3]
    a.type = args[i + 1]
    local id
    if key == '' then
      id = append(topic, a, data)
    else
      id = once('once:{' .. topic .. '}', key, a.keep, function()
        return (append(topic, a, data))
      end)
    end
    ids[#ids + 1] = id
  end
  return ids
end

-- revoke(subject, now, seconds): tickets of the subject that were issued until now are void. The channel only
-- says that something changed; entries go when no ticket can be that old.
local function revoke(keys, args)
  redis.call('ZADD', keys[1], args[2], args[1])
  redis.call('ZREMRANGEBYSCORE', keys[1], '-inf', args[2] - args[3])
  redis.call('PUBLISH', 'control', args[1])
end

redis.register_function('publish_@VERSION@', publish)
redis.register_function{ function_name = 'revoke_@VERSION@', callback = revoke, flags = { 'allow-oom' } }
