// The examples of stores, on real servers: what they promise the journal, and the journal in them with several clients at once.
import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { Redis } from "ioredis";
import { Client } from "junfeiai";
import pg from "pg";
import { SCHEMA, postgresStore } from "../examples/postgres-store.mjs";
import { redisStore } from "../examples/redis-store.mjs";
import { KEY, startEmulator } from "./emulator.mjs";
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
    connect: (port) => new pg.Pool({ host: "127.0.0.1", port, user: "owner", password: PASSWORD, database: "postgres", max: 4 }),
    store: postgresStore,
    prepare: (pool) => pool.query(SCHEMA),
    empty: (pool) => pool.query("DELETE FROM junfeiai_rows"),
    end: (pool) => pool.end(),
    mark: "UPDATE junfeiai_rows",
    resends: false,
  },
  redis: {
    start: startRedis,
    connect: (port) => new Redis({ host: "127.0.0.1", port, password: PASSWORD }),
    store: redisStore,
    empty: (redis) => redis.del("{junfeiai}:rows"),
    end: (redis) => redis.disconnect(),
    mark: "HSET",
    resends: true,
  },
};

for (const [name, { start, connect, store, prepare, empty, end, mark, resends }] of Object.entries(DATABASES)) {
  describe(`a store in ${name}`, () => {
    const skip = missing[name];
    let server, proxy, one, other, lossy;
    before(async () => {
      if (skip) return;
      server = await start(folder);
      proxy = await losing(server.port);
      [one, other, lossy] = [connect(server.port), connect(server.port), connect(proxy.port)];
      // A connection that breaks is an error of its client, which opens another.
      for (const each of [one, other, lossy]) each.on("error", () => undefined);
      await prepare?.(one);
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

    test("a write whose answer was lost is never called one that did not take place", { skip }, async () => {
      const rows = store(lossy);
      const first = await rows.swap("lost", null, "1");
      proxy.mark = mark;
      const before = proxy.cuts;
      const second = await rows.swap("lost", first, "2").catch(() => "an error");
      assert.equal(proxy.cuts, before + 1);
      // ioredis sends it again and hears the first answer; pg does not, and reports an error: nobody hears `null`.
      const row = await rows.load("lost");
      assert.equal(row.value, "2");
      assert.equal(second, resends ? row.version : "an error");
      if (!resends) return;
      proxy.mark = mark;
      assert.ok((await rows.swap("lost", second, null)) > second, "removed once, and heard of it");
      assert.equal(proxy.cuts, before + 2);
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
  });
}
