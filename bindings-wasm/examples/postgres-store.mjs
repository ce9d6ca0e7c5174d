// A journal in PostgreSQL, by way of npm's `pg`: any number of machines share it. It is the journal that the other languages open by
// `postgresql://user:password@host/database?journal=NAME`: the same table, which the first to come makes.
//
//     import pg from "pg";
//     const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, connectionTimeoutMillis: 5000, max: 4 });
//     const { videos } = new Client({ journal: postgresStore(pool, { journal: "films" }) });
//
// Give it a pool of its own: it sets `statement_timeout`, `synchronous_commit` and the isolation of its connections. It warns where the
// server's `fsync` is off. Every row has the versions and ids of its latest 16 writes, the newest first, also for ten minutes after it was
// removed: a write whose answer was lost is sent again, and known by its id.
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";

const FORMAT = 1;
const REMEMBERED = 16;
const PAGE = 500;

const COLUMNS = "journal text C, name text C, version bigint, value text C, trail bigint[], changed timestamp with time zone";
// The lock is there because `if not exists` alone fails when two do it at a time.
const CREATE = `
select pg_advisory_xact_lock(7741023659221);
create table if not exists junfeiai_journal (
    journal text collate "C" not null,
    name text collate "C" not null,
    version bigint not null,
    value text collate "C",
    trail bigint[] not null,
    changed timestamptz not null default now(),
    primary key (journal, name)
);
create index if not exists junfeiai_journal_removed on junfeiai_journal (journal, changed) where value is null;
create sequence if not exists junfeiai_journal_version;
insert into junfeiai_journal (journal, name, version, value, trail)
    values ('', 'format', nextval('junfeiai_journal_version'), '{"format":1}', '{}') on conflict do nothing;`;
const SERVER = `
select current_setting('server_version_num')::int as server, current_setting('server_encoding') as encoding,
    pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as readonly, current_setting('fsync') as fsync,
    (select string_agg(concat_ws(' ', attname, format_type(atttypid, null), nullif(collname, 'default')), ', ' order by attnum)
        from pg_attribute left join pg_collation on pg_collation.oid = attcollation
        where attrelid = to_regclass('junfeiai_journal') and attnum > 0 and not attisdropped) as columns`;
const RIGHTS = `
select (select value from junfeiai_journal where journal = '' and name = 'format') as format,
    has_table_privilege('junfeiai_journal', 'insert') and has_table_privilege('junfeiai_journal', 'update')
        and has_table_privilege('junfeiai_journal', 'delete') and has_sequence_privilege('junfeiai_journal_version', 'usage') as writable`;

const LOAD = "select value, version from junfeiai_journal where journal = $1 and name = $2 and value is not null";
const SCAN = `
select name, value, version from junfeiai_journal
    where journal = $1 and name >= $2 and name > $3 and ($4::text is null or name < $4) and value is not null
    order by name limit ${PAGE}`;
const TRAIL = "select trail::text[] as trail from junfeiai_journal where journal = $1 and name = $2";
// When it is sent again, a row that was removed since may have been written by it: then this writes nothing.
const INSERT = `
with new as materialized (select nextval('junfeiai_journal_version') as version)
insert into junfeiai_journal as old (journal, name, version, value, trail, changed)
    select $1::text, $2::text, version, $3::text, array[version, $4::bigint], clock_timestamp() from new
on conflict (journal, name) do update
    set version = excluded.version, value = excluded.value, trail = (excluded.trail || old.trail)[1:${2 * REMEMBERED}],
        changed = excluded.changed
    where old.value is null and $4 <> all(old.trail) and ($5::boolean or array_length(old.trail, 1) < ${2 * REMEMBERED})
returning version`;
// Without a value it removes the row, and takes out what was removed long ago, unless somebody else is just at it.
const REPLACE = `
with new as materialized (select nextval('junfeiai_journal_version') as version),
    swept as (
        delete from junfeiai_journal where ctid = any(array(
            select ctid from junfeiai_journal
                where $3::text is null and journal = $1 and value is null and changed < now() - interval '10 minutes' and name <> $2
                limit 100 for update skip locked))
    )
update junfeiai_journal as old
    set version = new.version, value = $3::text, trail = (array[new.version, $4::bigint] || old.trail)[1:${2 * REMEMBERED}],
        changed = clock_timestamp()
    from new where journal = $1 and name = $2 and old.version = $5 and value is not null
returning old.version`;
const NOTHING = `
select nextval('junfeiai_journal_version') as version
    where not exists (select from junfeiai_journal where journal = $1 and name = $2 and value is not null)`;

/** What trying again does not change. */
class Refused extends Error {}
const FOREIGN = "it has a table junfeiai_journal that this library did not make: rename it, or choose another database or schema";

/**
 * The server's last word has a severity; without one the connection was lost, unless `pg` misses a password or TLS. These codes are
 * those of a moment. @param {any} error
 */
const isLost = (error) => !(error instanceof Refused)
  && (error.severity === undefined ? !/^(SASL|The server does not support SSL)/.test(error.message) : /^(08...|40...|53300|57P01|57P02|57P03|57P05|57014|55P03|25006)$/.test(error.code));

/** The first name behind all that begin with this one, by their bytes. @param {string} prefix */
function endOf(prefix) {
  const letters = [...prefix];
  while (letters.length > 0) {
    const next = /** @type {number} */ (letters.pop()?.codePointAt(0)) + 1;
    // Behind U+D7FF come the surrogates, which no text holds.
    if (next <= 0x10ffff) return letters.join("") + String.fromCodePoint(next === 0xd800 ? 0xe000 : next);
  }
  return null;
}

/**
 * @typedef {(text: string, values?: unknown[]) => Promise<any[]>} Ask
 * @param {import("pg").Pool} pool
 * @param {object} options
 * @param {string} [options.journal] what is kept apart in one database: another one for another account
 * @param {number} [options.timeoutMs] how long one operation takes at most; the library waits for 10 s
 * @param {(text: string) => void} [options.warn] is called once where the server may lose what was written
 * @returns {import("junfeiai").JournalStore}
 */
export function postgresStore(pool, { journal = "default", timeoutMs = 5000, warn = console.warn } = {}) {
  if (!/^[\w.-]{1,64}$/.test(journal)) throw new Error("journal must be 1 to 64 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\"");
  let warned = false;
  let used = false;
  const prepared = new WeakSet();
  // A connection that breaks is no end of the program: the next operation makes another.
  if (pool.listenerCount("error") === 0) pool.on("error", () => {});

  /** Looks at the server and the table, which is made when there is none. @param {Ask} ask */
  async function prepare(ask) {
    await ask(`set statement_timeout = ${timeoutMs}; set default_transaction_isolation = 'read committed';
      select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`);
    let [found] = await ask(SERVER);
    if (found.server < 120_000) throw new Refused("PostgreSQL 12 or newer is needed: update the server");
    if (found.encoding !== "UTF8") throw new Refused(`its encoding is ${found.encoding}: choose a database whose encoding is UTF8`);
    if (found.readonly) throw new Refused("it is read-only (a replica, or default_transaction_read_only is on): give the primary server, and a role that may write");
    if (found.fsync === "off" && !warned) {
      warned = true;
      warn("fsync is off: a crash of the server's machine may lose what was written. Turn it on before you pay for tasks");
    }
    if (found.columns === null) {
      // Made anew it would know nothing of what was paid for.
      if (used) throw new Refused("the table junfeiai_journal: it is gone while it is in use: put it back, or make a new store, which begins another");
      await ask(CREATE).catch((error) => {
        if (error.code !== "42501" && error.code !== "3F000") throw error;
        throw new Refused(`the table junfeiai_journal is missing and this role may not make it (${error.message}): grant it CREATE on a schema of its search_path, or let another role connect once`);
      });
      [found] = await ask(SERVER);
    }
    if (found.columns === null) throw new Refused("the table junfeiai_journal is not found though it was made: correct the search_path of this role");
    if (found.columns !== COLUMNS) throw new Refused(FOREIGN);
    const [{ format, writable }] = await ask(RIGHTS);
    if (format === null) throw new Refused(FOREIGN);
    if (!new RegExp(`"format":\\s*${FORMAT}[,}]`).test(format)) throw new Refused("the table junfeiai_journal was made by a newer version of junfeiai: update this program");
    if (!writable) throw new Refused("this role may not write the table junfeiai_journal: grant it SELECT, INSERT, UPDATE and DELETE, and USAGE on the sequence junfeiai_journal_version");
    used = true;
  }

  /** A connection; one that comes too late goes back. @param {number} deadline @returns {Promise<import("pg").PoolClient>} */
  function connect(deadline) {
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        reject(new Error(`no connection: the server did not answer within ${timeoutMs} ms, or the pool has none left`));
      }, deadline - Date.now());
      pool.connect().then((client) => { if (late) client.release(); else resolve(client); }, reject).finally(() => { clearTimeout(timer); });
    });
  }

  /**
   * Carries out one operation, again when the connection breaks, until its time is up. What was given up is not sent any more.
   * @template T @param {(ask: Ask, again: boolean) => Promise<T>} work @returns {Promise<T>}
   */
  async function run(work) {
    const deadline = Date.now() + timeoutMs;
    let sent = false;
    for (let wait = 50; ; wait = Math.min(2 * wait, 1000)) {
      /** @type {import("pg").PoolClient | undefined} */
      let client;
      try {
        const connected = client = await connect(deadline);
        // A connection that has silently died must not use up all of the time.
        const until = sent ? deadline : (Date.now() + deadline) / 2;
        /** @type {Ask} */
        const ask = async (text, values) => {
          const left = until - Date.now();
          if (left < 1) throw new Error(`the server did not answer within ${timeoutMs} ms`);
          // What `pg` knows, and its types do not.
          const limit = { query_timeout: left };
          return (await connected.query({ text, values, ...limit })).rows;
        };
        if (!prepared.has(client)) {
          if (client.listenerCount("error") === 0) client.on("error", () => {});
          await prepare(ask);
          prepared.add(client);
        }
        const again = sent;
        sent = true;
        const result = await work(ask, again);
        client.release();
        return result;
      } catch (error) {
        client?.release(true);
        if (!isLost(error) || Date.now() + wait >= deadline) throw error;
      }
      await pause(wait);
    }
  }

  const row = (/** @type {any} */ { name, value, version }) => ({ name, value, version: Number(version) }); // pg gives a bigint as text

  return {
    load: (name) => run(async (ask) => (await ask(LOAD, [journal, name])).map(row)[0]),
    swap(name, expected, value) {
      const id = String(randomBytes(8).readBigUInt64BE() >> 1n);
      return run(async (ask, again) => {
        const [written] = expected !== null ? await ask(REPLACE, [journal, name, value, id, expected])
          : value === null ? await ask(NOTHING, [journal, name]) : await ask(INSERT, [journal, name, value, id, !again]);
        if (written) return Number(written.version);
        if (!again) return null;
        // It may have been written before the connection broke: each version is replaced by one write, and has its id beside it.
        /** @type {string[]} */
        const trail = (await ask(TRAIL, [journal, name]))[0]?.trail ?? [];
        const at = trail.findIndex((each, place) => place % 2 === 1 && each === id);
        if (at > 0) return Number(trail[at - 1]);
        const reachesBack = trail.some((each, place) => place % 2 === 0 && each === String(expected));
        if (reachesBack || trail.length < 2 * REMEMBERED) return null;
        throw new Refused(`the connection was lost while the row ${name} was written, and others have written it since: whether it was written is not known`);
      });
    },
    async scan(prefix) {
      const rows = [];
      for (let after = "", count = PAGE; count === PAGE; after = rows.at(-1)?.name ?? "") {
        const page = await run((ask) => ask(SCAN, [journal, prefix, after, endOf(prefix)]));
        rows.push(...page.map(row));
        count = page.length;
      }
      return rows;
    },
  };
}
