-- Looks whether the journal is ours, and begins it when there is none. Gives the number of its format, a space and when it was begun
-- (nothing for one of an earlier version), or "foreign"; "gone" when there is none and it is in use.
-- KEYS: rows, names, meta, removed. ARGV: the format, "1" when it is in use
for i, kind in ipairs({ 'hash', 'zset', 'hash', 'zset' }) do
    local found = redis.call('TYPE', KEYS[i])['ok']
    if found ~= 'none' and found ~= kind then return 'foreign' end
end
local format = redis.call('HGET', KEYS[3], 'format')
if format then return format .. ' ' .. (redis.call('HGET', KEYS[3], 'begun') or '') end
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) > 0 then return 'foreign' end
if ARGV[2] == '1' then return 'gone' end
-- Versions count up from the microseconds of now: no version comes back even if all keys were lost in between.
local now = redis.call('TIME')
local begun = now[1] .. string.format('%06d', tonumber(now[2]))
redis.call('HSET', KEYS[3], 'format', ARGV[1], 'version', begun, 'begun', begun)
return ARGV[1] .. ' ' .. begun
