// A journal in Redis or Valkey, by way of npm's `ioredis`: any number of machines share it. It is the journal that the other languages
// open by `redis://user:password@host/0?journal=NAME`: the same keys, `junfeiai:{NAME}:…`.
//
//     import { Redis } from "ioredis";
//     const redis = new Redis(process.env.REDIS_URL, { autoResendUnfulfilledCommands: false });
//     const { videos } = new Client({ journal: redisStore(redis, { journal: "films" }) });
//
// Give it a connection of its own. The server needs `appendonly yes` and `maxmemory-policy noeviction`: it must not forget what was paid
// for, and this warns where it could. By `fsync: "always"` every write waits for the server's disk. Every row has the versions and ids of its
// latest 16 writes, also for ten minutes after it was removed: a write whose answer was lost is sent again, and known by its id.
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

const FORMAT = "1";
const REMEMBERED = 16;
const PAGE = 500;

// Looks whether the journal is ours, and begins it when there is none; not where it is in use: what was paid for would be unknown to
// another. Versions count up from the microseconds of now: no version comes back even if all keys were lost in between.
// KEYS: rows, names, meta, removed. ARGV: the format, "1" when it is in use
const BEGIN = `
for i, kind in ipairs({ 'hash', 'zset', 'hash', 'zset' }) do
    local found = redis.call('TYPE', KEYS[i])['ok']
    if found ~= 'none' and found ~= kind then return 'foreign' end
end
local format = redis.call('HGET', KEYS[3], 'format')
if format then return format .. ' ' .. (redis.call('HGET', KEYS[3], 'begun') or '') end
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) > 0 then return 'foreign' end
if ARGV[2] == '1' then return 'gone' end
local now = redis.call('TIME')
local begun = now[1] .. string.format('%06d', tonumber(now[2]))
redis.call('HSET', KEYS[3], 'format', ARGV[1], 'version', begun, 'begun', begun)
return ARGV[1] .. ' ' .. begun`;

// Writes a row if it has the version that is expected. A row is "version id version id …", the newest first, then a line break and the
// value, unless it was removed. KEYS: the same. ARGV: name, expected version or "", value, "1" when there is a value, id of this write,
// "1" when it was sent before, how many writes are remembered, format, when the journal in use was begun
const SWAP = `
local name, expected, id, most = ARGV[1], ARGV[2], ARGV[5], tonumber(ARGV[7])
if redis.call('HGET', KEYS[3], 'format') ~= ARGV[8] then return 'gone' end
if (redis.call('HGET', KEYS[3], 'begun') or '') ~= ARGV[9] then return 'gone' end
local row = redis.call('HGET', KEYS[1], name) or ''
local ending = string.find(row, '\\n', 1, true)
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
    redis.call('HSET', KEYS[1], name, kept .. '\\n' .. ARGV[3])
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
return version`;

/** What trying again does not change. */
class Refused extends Error {}

/** A reply is the server's last word, but for those of a moment; anything else is a lost connection. @param {any} error */
const isLost = (error) => !(error instanceof Refused)
  && (error.name !== "ReplyError" || /^(LOADING|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|MOVED|ASK|READONLY|BUSY|NOREPLICAS)\b/.test(error.message));

/**
 * @param {import("ioredis").Redis | import("ioredis").Cluster} redis
 * @param {object} options
 * @param {string} [options.journal] what is kept apart in one server: another one for another account
 * @param {"always"} [options.fsync] every write waits for the server's disk
 * @param {number} [options.timeoutMs] how long one operation takes at most; the library waits for 10 s
 * @param {(text: string) => void} [options.warn] is called once for each thing that may make the server lose what was written
 * @returns {import("junfeiai").JournalStore}
 */
export function redisStore(redis, { journal = "default", fsync, timeoutMs = 5000, warn = console.warn } = {}) {
  if (!/^[\w.-]{1,64}$/.test(journal)) throw new Error("journal must be 1 to 64 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\"");
  // A write that ioredis sends again by itself does not say so, and could take place twice.
  const [option, safe] = redis.isCluster ? ["retryDelayOnFailover", 0] : ["autoResendUnfulfilledCommands", false];
  if (/** @type {any} */ (redis.options)[String(option)] !== safe) throw new Error(`create the client of ioredis with ${option}: ${safe}: this store sends a write again itself`);
  if (redis.options.keyPrefix) throw new Error("create the client of ioredis without keyPrefix: the other languages would not find the journal");
  // In a cluster what stands in braces keeps these keys on one node.
  const [rows, names, meta, removed] = ["rows", "names", "meta", "removed"].map((part) => `junfeiai:{${journal}}:${part}`);
  const keys = /** @type {string[]} */ ([rows, names, meta, removed]);
  /** @type {Promise<void> | undefined} */
  let prepared;
  // When the journal was begun that this store uses.
  /** @type {string | undefined} */
  let begun;
  let warned = false;
  let waitsForDisk = false;
  // Who waits for a reply, and who for the connection. ioredis never settles what it had sent over one that breaks.
  /** @type {Set<(error: Error) => void>} */
  const waiting = new Set();
  /** @type {Set<() => void>} */
  const connecting = new Set();
  /** @type {Error | undefined} */
  let trouble;
  const failed = (/** @type {string} */ text) => new Error(redis.status !== "ready" && trouble ? `${text}: ${trouble.message}` : text);
  const lost = (/** @type {Error} */ error) => {
    prepared = undefined;
    connecting.clear();
    for (const reject of waiting) reject(error);
  };
  redis.on("close", () => { lost(failed("the connection was lost")); });
  redis.on("error", (error) => {
    trouble = error;
    // User and password are wrong, for example.
    if (error.name === "ReplyError") lost(error);
  });
  redis.on("ready", () => {
    for (const resolve of connecting) resolve();
    connecting.clear();
  });

  /** What a promise brings, as long as the connection stays. @template T @param {Promise<T>} promise @param {number} until @returns {Promise<T>} */
  function answered(promise, until) {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        waiting.delete(giveUp);
      };
      const giveUp = (/** @type {Error} */ error) => {
        end();
        reject(error);
      };
      const timer = setTimeout(() => {
        giveUp(failed(`the server did not answer within ${timeoutMs} ms`));
        redis.disconnect(true);
      }, Math.max(until - Date.now(), 0));
      waiting.add(giveUp);
      promise.then(resolve, reject).finally(end);
    });
  }

  /** Looks at the server and the journal. */
  async function prepare() {
    if (redis.status === "wait") redis.connect().catch(() => {});
    if (redis.status !== "ready") await new Promise((resolve) => { connecting.add(() => { resolve(undefined); }); });
    // Where the server has no such database, ioredis stays in number 0.
    const { db } = /** @type {import("ioredis").RedisOptions} */ (redis.options);
    if (db) await redis.select(db);
    const info = Object.fromEntries((await redis.info("all").catch(() => "")).split(/\r?\n/).map((line) => line.split(/:(.*)/s)));
    if (info.role === "slave" && info.slave_read_only !== "0") throw new Refused("it is a read-only replica: give the primary server");
    const found = String(await redis.eval(BEGIN, 4, ...keys, FORMAT, begun === undefined ? "0" : "1"));
    const [format, since = ""] = found.split(" ");
    if (format === "gone" || (format === FORMAT && since !== (begun ??= since))) throw new Refused(`the journal's keys (${rows}, …): it is gone while it is in use: put it back, or make a new store, which begins another`);
    if (format === "foreign") throw new Refused(`the keys ${rows} and their like are not of this library: choose another journal name, or another database`);
    if (format !== FORMAT) throw new Refused("the journal was made by a newer version of junfeiai: update this program, or choose another journal name");
    // Where CONFIG is forbidden, as by many providers, INFO says most of it.
    /** @type {Record<string, string>} */
    const known = {};
    for (const asked of ["append*", "maxmemory*"]) {
      const values = /** @type {string[]} */ (await redis.call("CONFIG", "GET", asked).catch(() => []));
      for (let at = 0; at + 1 < values.length; at += 2) known[/** @type {string} */ (values[at])] = /** @type {string} */ (values[at + 1]);
    }
    const appendOnly = known.appendonly ?? (info.aof_enabled === undefined ? undefined : info.aof_enabled === "1" ? "yes" : "no");
    waitsForDisk = fsync === "always" && !(appendOnly === "yes" && known.appendfsync === "always");
    if (waitsForDisk && Number((/** @type {number[]} */ (await redis.call("WAITAOF", 1, 0, timeoutMs).catch(() => [0])))[0]) < 1) {
      throw new Refused("fsync: \"always\" cannot be kept: set appendonly yes and appendfsync always on the server, or appendonly yes on one with WAITAOF (Redis 7.2, Valkey 7.2 and newer)");
    }
    if (warned) return;
    warned = true;
    if (appendOnly === "no") warn("the server has no append-only file: what was written since its last snapshot is lost when it ends. Set appendonly yes before you pay for tasks");
    else if (known.appendfsync === "no") warn("appendfsync is no: a crash of the server's machine loses what the system had not written, 30 seconds or more. Set everysec or always");
    const policy = known["maxmemory-policy"] ?? info.maxmemory_policy ?? "noeviction";
    if ((known.maxmemory ?? info.maxmemory ?? "0") !== "0" && policy !== "noeviction") {
      warn(`the server removes keys when its memory is full, the journal's too (${policy}). Set maxmemory-policy noeviction`);
    }
  }

  /**
   * Carries out one operation, again when the connection breaks, until its time is up. What was given up is not sent any more.
   * @template T @param {(again: boolean) => Promise<T>} work @returns {Promise<T>}
   */
  async function run(work) {
    const deadline = Date.now() + timeoutMs;
    let sent = false;
    for (let wait = 50; ; wait = Math.min(2 * wait, 1000)) {
      try {
        if (redis.status === "end") throw new Refused("the client of ioredis was ended");
        await answered(prepared ??= prepare().catch((error) => { prepared = undefined; throw error; }), deadline);
        if (redis.status !== "ready") throw new Error("the connection was lost");
        const again = sent;
        sent = true;
        // A connection that has silently died must not use up all of the time.
        return await answered(work(again), again ? deadline : (Date.now() + deadline) / 2);
      } catch (error) {
        if (!isLost(error) || Date.now() + wait >= deadline) throw error;
      }
      await pause(wait);
    }
  }

  /** @param {string} name @param {string | null} [text] */
  function read(name, text) {
    const end = text?.indexOf("\n") ?? -1;
    // Without a value it was removed.
    if (!text || end < 0) return undefined;
    const version = Number.parseInt(text, 10);
    if (!(version > 0)) throw new Refused(`the row ${name} was written by another program: remove it`);
    return { name, value: text.slice(end + 1), version };
  }

  return {
    load: (name) => run(async () => read(name, await redis.hget(/** @type {string} */ (rows), name))),
    swap(name, expected, value) {
      const id = String(randomBytes(8).readBigUInt64BE() >> 1n);
      return run(async (again) => {
        const values = [name, expected ?? "", value ?? "", value === null ? "0" : "1", id, again ? "1" : "0", REMEMBERED, FORMAT, begun ?? ""];
        // In one go: another connection would not wait for what was written over this one.
        const write = redis.pipeline().eval(SWAP, 4, ...keys, ...values);
        if (waitsForDisk) write.call("WAITAOF", 1, 0, timeoutMs);
        const [[failed, written] = [], [unsynced, disk] = []] = /** @type {[Error | null, any][]} */ (await write.exec() ?? []);
        if (failed) throw failed;
        if (written === "unknown") throw new Refused(`the connection was lost while the row ${name} was written, and others have written it since: whether it was written is not known`);
        if (written === "gone") {
          prepared = undefined;
          throw new Error("the keys of the journal are gone");
        }
        if (written === null) return null;
        if (waitsForDisk && (unsynced || !(disk[0] >= 1))) throw new Error("the disk of the server did not take it in time");
        return Number(written);
      });
    },
    async scan(prefix) {
      const found = [];
      // No byte of UTF-8 is 255.
      const end = prefix === "" ? "+" : Buffer.concat([Buffer.from(`(${prefix}`), Buffer.from([255])]);
      for (let from = `[${prefix}`, count = PAGE; count === PAGE;) {
        const page = await run(() => redis.zrangebylex(/** @type {string} */ (names), from, end, "LIMIT", 0, PAGE));
        const texts = page.length === 0 ? [] : await run(() => redis.hmget(/** @type {string} */ (rows), ...page));
        // Some were removed since their names were read.
        found.push(...page.flatMap((name, at) => read(name, texts[at]) ?? []));
        from = `(${page.at(-1)}`;
        count = page.length;
      }
      return found;
    },
  };
}
