// A journal in Redis or Valkey, by way of npm's `ioredis`: any number of machines share it.
//
//     import { Redis } from "ioredis";
//     const { videos } = new Client({ journal: redisStore(new Redis(process.env.REDIS_URL)) });
//
// The server needs `appendonly yes`, `appendfsync always` and `maxmemory-policy noeviction`: it must not forget what was paid for.
import { randomUUID } from "node:crypto";

// Compares and writes in one step. ioredis sends a command again when the connection breaks before the answer comes: each write has
// a name of its own, kept for ten minutes, and the same write once more gets the answer of the first.
const SWAP = `
local done = redis.call('GET', KEYS[3])
if done then return tonumber(done) end
local row = redis.call('HGET', KEYS[1], ARGV[1])
if (row and row:match('^%d+') or '') ~= ARGV[2] then return false end
local version = redis.call('INCR', KEYS[2])
if ARGV[3] == 'write' then redis.call('HSET', KEYS[1], ARGV[1], version .. ' ' .. ARGV[4])
else redis.call('HDEL', KEYS[1], ARGV[1]) end
redis.call('SET', KEYS[3], version, 'EX', 600)
return version`;

/**
 * @param {import("ioredis").Redis | import("ioredis").Cluster} redis
 * @param {string} name where it is kept: another one for another account
 * @returns {import("junfeiai").JournalStore}
 */
export function redisStore(redis, name = "junfeiai") {
  // In a cluster what stands in braces keeps these keys on one node.
  const [rows, version] = [`{${name}}:rows`, `{${name}}:version`];
  const read = (/** @type {string} */ text) => {
    const space = text.indexOf(" ");
    return { version: Number(text.slice(0, space)), value: text.slice(space + 1) };
  };
  return {
    async load(row) {
      const text = await redis.hget(rows, row);
      return text === null ? null : read(text);
    },
    swap: async (row, expected, value) => /** @type {number | null} */ (await redis.eval(
      SWAP, 3, rows, version, `{${name}}:write:${randomUUID()}`, row, expected ?? "", value === null ? "remove" : "write", value ?? "")),
    scan: async (prefix) => Object.entries(await redis.hgetall(rows))
      .filter(([row]) => row.startsWith(prefix)).map(([row, text]) => ({ name: row, ...read(text) })),
  };
}
