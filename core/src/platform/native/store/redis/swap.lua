-- Writes a row if it has the version that is expected. A row is "version id version id …", its latest writes, the newest first,
-- then a line break and the value, unless it was removed.
-- KEYS: rows, names, meta, removed. ARGV: name, expected version or "", value, "1" when there is a value, id of this write,
-- "1" when it was sent before, how many writes are remembered, format, when the journal in use was begun
-- Gives the new version, nothing when another was faster, "unknown" when that cannot be told, "gone" without that journal.
local name, expected, id, most = ARGV[1], ARGV[2], ARGV[5], tonumber(ARGV[7])
if redis.call('HGET', KEYS[3], 'format') ~= ARGV[8] then return 'gone' end
if (redis.call('HGET', KEYS[3], 'begun') or '') ~= ARGV[9] then return 'gone' end
local row = redis.call('HGET', KEYS[1], name) or ''
local ending = string.find(row, '\n', 1, true)
local trail, live = string.sub(row, 1, (ending or 0) - 1), ending ~= nil
local current = live and string.match(trail, '^%d+') or ''

local function next_version()
    return string.format('%.0f', redis.call('HINCRBY', KEYS[3], 'version', 1))
end

if ARGV[6] == '1' then
    local count, reaches_back = 0, false
    for version, writer in string.gmatch(trail, '(%d+) (%d+)') do
        if writer == id then
            -- The earlier write went over another connection: WAITAOF waits for those of this one, which come behind it.
            next_version()
            return version
        end
        count = count + 1
        reaches_back = reaches_back or version == expected
    end
    if not reaches_back and count >= most then return 'unknown' end
end
if current ~= expected then return false end

local version = next_version()
if ARGV[4] ~= '1' and not live then return version end
local pairs_left, kept = most - 1, version .. ' ' .. id
for old, writer in string.gmatch(trail, '(%d+) (%d+)') do
    if pairs_left <= 0 then break end
    kept = kept .. ' ' .. old .. ' ' .. writer
    pairs_left = pairs_left - 1
end
if ARGV[4] == '1' then
    redis.call('HSET', KEYS[1], name, kept .. '\n' .. ARGV[3])
    redis.call('ZADD', KEYS[2], 0, name)
    redis.call('ZREM', KEYS[4], name)
    return version
end
-- It stays for ten minutes without a value; what has stayed longer goes now.
local now = tonumber(redis.call('TIME')[1])
redis.call('HSET', KEYS[1], name, kept)
redis.call('ZREM', KEYS[2], name)
redis.call('ZADD', KEYS[4], now, name)
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now - 600, 'LIMIT', 0, 100)) do
    redis.call('HDEL', KEYS[1], old)
    redis.call('ZREM', KEYS[4], old)
end
return version
