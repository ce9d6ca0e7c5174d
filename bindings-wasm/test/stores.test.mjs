// The examples of stores, on real servers: what they promise the journal, the journal in them with several clients at once, and the
// command on their addresses. That the other languages read and write the same is in tests/scenarios/cli/journal.json.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { Redis } from "ioredis";
import { Client } from "junfeiai";
import pg from "pg";
import { postgresStore } from "../examples/postgres-store.mjs";
import { redisStore } from "../examples/redis-store.mjs";
import { KEY, root, startEmulator } from "./emulator.mjs";
import { PASSWORD, losing, missing, startPostgres, startRedis } from "./servers.mjs";

let emulator, folder;
before(async () => {
  emulator = await startEmulator();
  folder = await mkdtemp(join(tmpdir(), "junfeiai-stores-"));
});
after(async () => {
  emulator.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await emulator.reset();
  await emulator.forget();
});

const DATABASES = {
  postgres: {
    start: startPostgres,
    // Two connections at least: what one of them does the others must see.
    connect: (port) => new pg.Pool({ host: "127.0.0.1", port, user: "owner", password: PASSWORD, database: "postgres", max: 4, connectionTimeoutMillis: 60_000 }),
    store: postgresStore,
    address: (port) => `postgresql://owner:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/postgres`,
    empty: (pool) => pool.query("drop table if exists junfeiai_journal; drop sequence if exists junfeiai_journal_version"),
    // The other connections that have looked at the table go.
    leave: (pool) => pool.query("select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'").catch(() => {}),
    later: (pool) => pool.query(`update junfeiai_journal set value = '{"format":2}' where journal = '' and name = 'format'`),
    end: (pool) => pool.end(),
    marks: ["insert into junfeiai_journal as old", "update junfeiai_journal as old"],
    weaken: (pool) => pool.query("alter system set fsync = off").then(() => pool.query("select pg_reload_conf()")),
    warning: /fsync is off/,
  },
  redis: {
    start: startRedis,
    connect: (port) => new Redis({ host: "127.0.0.1", port, password: PASSWORD, autoResendUnfulfilledCommands: false }),
    store: redisStore,
    address: (port) => `valkey://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/0`,
    empty: (redis) => redis.flushall(),
    leave: () => {},
    later: (redis) => redis.hset("junfeiai:{default}:meta", "format", "2"),
    end: (redis) => redis.disconnect(),
    marks: ["HINCRBY", "HINCRBY"],
    weaken: (redis) => redis.config("SET", "appendonly", "no"),
    warning: /no append-only file/,
  },
};

for (const [name, { start, connect, store, address, empty, leave, later, end, marks, weaken, warning }] of Object.entries(DATABASES)) {
  describe(`a store in ${name}`, () => {
    const skip = missing[name];
    let server, proxy, one, other, lossy;
    before(async () => {
      if (skip) return;
      server = await start(folder);
      proxy = await losing(server.port);
      [one, other, lossy] = [connect(server.port), connect(server.port), connect(proxy.port)];
      // Each test has stores of its own over them.
      for (const each of [one, other, lossy]) each.setMaxListeners(0);
    });
    after(async () => {
      await Promise.all([one, other, lossy].map((each) => each && end(each)));
      proxy?.stop();
      await server?.stop();
    });
    beforeEach(async () => { if (!skip) await empty(one); });

    test("compares and sets", { skip }, async () => {
      const rows = store(one);
      const text = "line 1\nline \"2\" \\ 视频 🎬";
      assert.equal((await rows.load("a")) ?? null, null);
      const first = await rows.swap("a", null, text);
      assert.ok(Number.isSafeInteger(first) && first >= 1);
      assert.equal((await rows.swap("a", null, "b")) ?? null, null, "there is a row already");
      assert.equal((await rows.swap("a", first + 1, "b")) ?? null, null, "that version is not there");
      assert.equal((await rows.swap("b", first, "b")) ?? null, null, "there is no such row");
      const { value, version } = await store(other).load("a");
      assert.deepEqual({ value, version }, { value: text, version: first });
      const second = await store(other).swap("a", first, "");
      assert.ok(second > first);
      assert.equal((await rows.swap("a", first, "late")) ?? null, null);
      assert.deepEqual([(await rows.load("a")).value, (await rows.load("a")).version], ["", second]);
      assert.ok((await rows.swap("a", second, null)) > second);
      assert.equal((await rows.load("a")) ?? null, null);
      // A version never comes back.
      assert.ok((await rows.swap("a", null, "again")) > second);
      assert.equal((await rows.swap("a", first, "late")) ?? null, null);
    });

    test("finds rows by the beginning of their names", { skip }, async () => {
      const rows = store(one);
      for (const row of ["c/1", "c/2", "c%", "d/1", "C/1"]) await rows.swap(row, null, `value of ${row}`);
      const found = (await rows.scan("c/")).map((row) => [row.name, row.value]).sort();
      assert.deepEqual(found, [["c/1", "value of c/1"], ["c/2", "value of c/2"]]);
      assert.deepEqual(await rows.scan("e/"), []);
      assert.equal((await rows.scan("")).length, 5);
    });

    test("of many writers at once one is first", { skip }, async () => {
      const rows = [store(one), store(other)];
      const firsts = await Promise.all(Array.from({ length: 20 }, (_, at) => rows[at % 2].swap("race", null, String(at))));
      assert.equal(firsts.filter((version) => version != null).length, 1);
      // A counter that everybody raises misses nothing.
      await rows[0].swap("count", null, "0");
      const raise = async (of) => {
        for (;;) {
          const { value, version } = await of.load("count");
          if (await of.swap("count", version, String(Number(value) + 1))) return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, (_, at) => raise(rows[at % 2])));
      assert.equal((await rows[0].load("count")).value, "20");
    });

    test("a write whose answer was lost takes place once, and its version is given", { skip }, async () => {
      const rows = store(lossy);
      const before = proxy.cuts;
      const [begin, replace] = marks;
      // The tables are there.
      await rows.load("lost");
      proxy.mark = begin;
      const first = await rows.swap("lost", null, "1");
      assert.deepEqual([(await rows.load("lost")).value, (await rows.load("lost")).version], ["1", first]);
      proxy.mark = replace;
      const second = await rows.swap("lost", first, "2");
      assert.deepEqual([(await rows.load("lost")).value, (await rows.load("lost")).version], ["2", second]);
      proxy.mark = replace;
      assert.ok((await rows.swap("lost", second, null)) > second, "removed once, and its version given");
      assert.equal(proxy.cuts, before + 3);
      assert.equal((await rows.load("lost")) ?? null, null);
      // Another was faster: the second attempt does not find its own write.
      const third = await rows.swap("lost", null, "3");
      await store(one).swap("lost", third, "4");
      assert.equal(await rows.swap("lost", third, "5"), null);
    });

    test("more rows than are read at a time", { skip }, async () => {
      // A hundred wait for one another.
      const rows = store(one, { timeoutMs: 60_000 });
      for (let at = 0; at < 1100; at += 100) await Promise.all(Array.from({ length: 100 }, (_, more) => rows.swap(`many/${at + more}`, null, String(at + more))));
      await rows.swap("many0", null, "behind");
      const found = await rows.scan("many/");
      assert.equal(new Set(found.map((row) => row.name)).size, 1100);
      assert.ok(found.every((row) => row.name === `many/${row.value}`));
    });

    test("journals of other names are kept apart, and a name that is none is refused", { skip }, async () => {
      const [films, songs] = [store(one, { journal: "films" }), store(one, { journal: "songs" })];
      await films.swap("a", null, "1");
      assert.equal((await songs.load("a")) ?? null, null);
      assert.deepEqual(await songs.scan(""), []);
      assert.equal((await store(other, { journal: "films" }).load("a")).value, "1");
      for (const journal of ["", "a b", "a\n", "x".repeat(65)]) assert.throws(() => store(one, { journal }), /journal must be 1 to 64/);
    });

    test("a store that has used a journal does not begin another", { skip }, async () => {
      const rows = store(one);
      await rows.swap("a", null, "1");
      await empty(other);
      await leave(one);
      // A connection that was there before says it in its own words, and is given up.
      await assert.rejects(rows.swap("b", null, "1"), /gone while it is in use|does not exist/);
      await assert.rejects(rows.swap("b", null, "1"), /gone while it is in use/);
      const fresh = store(other);
      assert.ok(await fresh.swap("b", null, "1"));
      if (name === "redis") await assert.rejects(rows.swap("b", (await fresh.load("b")).version, "2"), /gone while it is in use/);
    });

    test("a later format is refused at once, and nothing is written", { skip }, async () => {
      await store(one).swap("a", null, "1");
      await later(one);
      for (const call of [(rows) => rows.load("a"), (rows) => rows.swap("b", null, "1"), (rows) => rows.scan("")]) {
        await assert.rejects(call(store(other)), /newer version of junfeiai: update this program/);
      }
      const { videos } = new Client({ apiKey: KEY, baseURL: emulator.baseURL, journal: store(other) });
      await assert.rejects(videos.create({ prompt: "a", key: "film/1" }), (error) => error.code === "journal" && /newer version/.test(error.message));
      assert.equal((await emulator.stats()).posts, 0);
    });

    test("a server that does not answer is an error within the time, and one that is gone says why", { skip }, async () => {
      const silent = createServer(() => undefined).listen(0, "127.0.0.1");
      await new Promise((resolve) => silent.once("listening", resolve));
      const { port } = silent.address();
      const stuck = name === "redis" ? connect(port) : new pg.Pool({ host: "127.0.0.1", port, user: "owner", database: "postgres", connectionTimeoutMillis: 300 });
      try {
        await assert.rejects(store(stuck, { timeoutMs: 300 }).swap("a", null, "1"), /did not answer|timeout/);
      } finally {
        await end(stuck);
        silent.close();
      }
      const gone = connect(port);
      try {
        await assert.rejects(store(gone, { timeoutMs: 10_000 }).load("a"), /ECONNREFUSED/);
      } finally {
        await end(gone);
      }
    });

    if (name === "postgres") {
      test("a pool with no connection left is an error within the time, and what it gives later goes back", { skip, timeout: 60_000 }, async () => {
        const pool = new pg.Pool({ host: "127.0.0.1", port: server.port, user: "owner", password: PASSWORD, database: "postgres", max: 1 });
        const held = await pool.connect();
        try {
          await assert.rejects(store(pool, { timeoutMs: 300 }).load("a"), /within 300 ms, or the pool has none left/);
        } finally {
          held.release();
        }
        assert.equal((await pool.query("select 1 as one")).rows[0].one, 1);
        await end(pool);
      });

      test("a missing password is not waited for", { skip, timeout: 60_000 }, async () => {
        const pool = new pg.Pool({ host: "127.0.0.1", port: server.port, user: "owner", password: () => undefined, database: "postgres" });
        await assert.rejects(store(pool, { timeoutMs: 600_000 }).load("a"), /password must be a string/);
        await end(pool);
      });
    } else {
      test("a database that the server does not have is refused each time, and number 0 not taken for it", { skip }, async () => {
        const redis = new Redis({ host: "127.0.0.1", port: server.port, password: PASSWORD, db: 99, autoResendUnfulfilledCommands: false });
        const rows = store(redis);
        await new Promise((resolve) => redis.once("ready", resolve));
        for (let at = 0; at < 2; at++) await assert.rejects(rows.swap("a", null, "1"), /DB index is out of range/);
        assert.equal(await one.dbsize(), 0);
        end(redis);
      });
    }

    test("the command takes its address, and shows no password", { skip }, async () => {
      const command = (...words) => new Promise((resolve) => {
        const env = { ...process.env, JUNFEIAI_API_KEY: KEY, JUNFEIAI_BASE_URL: emulator.baseURL, XDG_STATE_HOME: folder, NODE_PATH: join(root, "bindings-wasm/node_modules") };
        // What `pg` would read: the other languages do not.
        Object.assign(env, { PGDATABASE: "postgres", PGOPTIONS: "-c default_transaction_read_only=on" });
        execFile(process.execPath, [join(root, "target/npm/package/dist/cli.js"), ...words], { env, cwd: folder }, (error, out, err) => {
          for (const text of [PASSWORD, encodeURIComponent(PASSWORD), KEY]) assert.ok(!(out + err).includes(text), out + err);
          resolve({ code: error?.code ?? 0, out, err });
        });
      });
      const journal = `${address(server.port)}?journal=films`;
      const { out } = await command("create", "a", "--seconds", "6", "--key", "film/1", "--journal", journal);
      const { videos } = new Client({ apiKey: KEY, baseURL: emulator.baseURL, journal: store(one, { journal: "films" }) });
      const task = await videos.create({ prompt: "a", seconds: 6, key: "film/1" });
      assert.deepEqual([task.id, task.reused], [out.trim(), true]);
      const [entry] = (await command("pending", "--json", "--journal", journal)).out.split("\n").filter(Boolean).map((line) => JSON.parse(line));
      assert.deepEqual([entry.task_id, entry.key], [task.id, "film/1"]);
      assert.match(entry.journal, /:\*\*\*@127/);
      const refused = await command("create", "b", "--journal", journal.replace(encodeURIComponent(PASSWORD), "wrong"));
      assert.equal(refused.code, 1, refused.err);
      assert.match(refused.err, /password/i);
      if (name === "postgres") {
        // Its database is that of the user's name, as for the other languages.
        assert.match((await command("pending", "--journal", journal.replace("/postgres?", "?"))).err, /database "owner" does not exist/);
        const waited = await command("wait", task.id, "--poll-interval", "0.02", "--journal", `postgresql://us/er:${encodeURIComponent(PASSWORD)}@127.0.0.1:1/films?timeout=0.1`);
        assert.match(waited.out, /us\/er:\*\*\*@127/);
      }
      assert.equal((await emulator.stats()).posts, 1);
    });

    test("one key is one task for clients of several connections, and what is left is saved", { skip }, async () => {
      const make = (database) => new Client({ apiKey: KEY, baseURL: emulator.baseURL, pollIntervalMs: 20, journal: store(database) });
      const request = { prompt: "a", seconds: 6, key: "film/1" };
      const tasks = await Promise.all([one, other, one, other].map((database) => make(database).videos.create(request)));
      assert.equal(new Set(tasks.map((task) => task.id)).size, 1);
      assert.equal((await emulator.requests()).filter((r) => r.method === "POST").length, 1);
      const { videos } = make(other);
      const ended = [];
      for await (const each of videos.resumePending(join(folder, name))) ended.push(each);
      assert.deepEqual(ended.map(({ taskId, error }) => [taskId, error]), [[tasks[0].id, null]]);
      assert.equal((await stat(ended[0].summary.path)).size, ended[0].summary.bytes);
      assert.deepEqual(await make(one).videos.pending(), []);
      assert.equal((await make(one).videos.key("film/1")).state, "saved");
    });

    // The last one: the server stays as it is then.
    test("what the server may lose is said once", { skip }, async () => {
      const said = [];
      const rows = () => store(one, { warn: (text) => { said.push(text); } });
      await rows().load("a");
      assert.deepEqual(said, []);
      await weaken(one);
      // PostgreSQL reads its settings in a moment.
      let weak;
      while (said.length === 0) {
        weak = rows();
        await weak.load("a");
      }
      await weak.swap("a", null, "1");
      assert.equal(said.length, 1);
      assert.match(said[0], warning);
    });
  });
}

test("ioredis must not send a write again by itself", () => {
  for (const options of [{}, { autoResendUnfulfilledCommands: false, keyPrefix: "films:" }]) {
    const redis = new Redis({ ...options, lazyConnect: true });
    assert.throws(() => redisStore(redis), /^Error: create the client of ioredis with(out)? /);
    redis.disconnect();
  }
});

test("what the examples send is what the other languages send", async () => {
  const native = join(root, "core/src/platform/native/store");
  // Without comments, line breaks, casts and what quotes have in front.
  const plain = (text) => text.replaceAll(/^\s*(--|\/\/).*$/gm, "").replaceAll(/\\+n|\s+/g, " ").replaceAll(/ +/g, " ").trim();
  const redis = plain(await readFile(join(root, "bindings-wasm/examples/redis-store.mjs"), "utf8"));
  for (const script of ["begin.lua", "swap.lua"]) assert.ok(redis.includes(plain(await readFile(join(native, "redis", script), "utf8"))), script);
  const postgres = plain(await readFile(join(root, "bindings-wasm/examples/postgres-store.mjs"), "utf8"));
  const rust = await readFile(join(native, "postgres.rs"), "utf8");
  for (const name of ["COLUMNS", "CREATE", "LOAD"]) {
    const [, text] = new RegExp(`const ${name}: &str =\\s*r?#?"([^]*?)"#?;\\n`).exec(rust);
    assert.ok(postgres.includes(plain(text)), name);
  }
});
