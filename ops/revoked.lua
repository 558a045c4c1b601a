-- The tickets that were revoked, as commands in the form of Redis' log: what was revoked after a backup stays
-- revoked after its restore. Without the last line end, which the client that prints the answer adds.

local function command(...)
  local words = { ... }
  local lines = { '*' .. #words }
  for _, word in ipairs(words) do
    lines[#lines + 1] = '$' .. #word
    lines[#lines + 1] = word
  end
  return table.concat(lines, '\r\n')
end

local commands = { command('SELECT', '0') }
local entries = redis.call('ZRANGE', 'revoked:{control}', 0, -1, 'WITHSCORES')
for i = 1, #entries, 2 do
  commands[#commands + 1] = command('ZADD', 'revoked:{control}', 'GT', entries[i + 1], entries[i])
end
return table.concat(commands, '\r\n') .. '\r'
