/**
 * The journal of the command in a database, by the address that the other languages take. The stores are those of the package's
 * examples, over npm's `pg` or `ioredis` of the user. No error repeats a part of the address: nobody can tell where in a broken one the
 * password is.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { rootCertificates } from "node:tls";
import { fileURLToPath } from "node:url";
import type { JournalStore } from "#main";
import { CommandError, configError } from "./exit-codes.js";
import { systemError, write } from "./output.js";

/** The library waits for 10 s at most. */
const LONGEST_MS = 9_000;

const refuse = (why: string): CommandError => new CommandError("journal", `journal: ${why}; nothing was sent`);

/** Where and how to connect, as the address says it. */
interface Place {
  postgres: boolean;
  tls: boolean;
  user: string | undefined;
  password: string | undefined;
  host: string;
  port: number | undefined;
  /** The name or the number of the database. */
  database: string | undefined;
  journal: string;
  account: "same" | undefined;
  ca: string | undefined;
  timeoutMs: number;
  fsync: "always" | undefined;
  /** Further parameters. */
  others: Map<string, string>;
}

const SCHEMES: Record<string, Pick<Place, "postgres" | "tls">> = {
  postgresql: { postgres: true, tls: false }, postgres: { postgres: true, tls: false },
  redis: { postgres: false, tls: false }, valkey: { postgres: false, tls: false },
  rediss: { postgres: false, tls: true }, valkeys: { postgres: false, tls: true },
};
const OF_POSTGRES = ["sslmode", "application_name", "options", "host", "port", "user", "password", "dbname"];

function parse(address: string): Place {
  const [, scheme = "", body = "", query = ""] = /^([^:]*):\/\/([^?]*)\??(.*)$/s.exec(address) ?? [];
  const known = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined;
  if (!known) throw refuse("the address begins with postgresql://, postgres://, redis://, rediss://, valkey:// or valkeys://");
  const form = known.postgres ? "postgresql://user:password@host:5432/database?journal=NAME" : "redis://user:password@host:6379/0?journal=NAME";
  const broken = (): CommandError => refuse(`the address cannot be read: it is ${form}; what is no letter or digit in the password is percent-encoded`);
  const decode = (text: string | undefined): string | undefined => {
    try { return text ? decodeURIComponent(text) : undefined; } catch { throw broken(); }
  };
  // As the other languages divide it: only in front of PostgreSQL's "@" a "/" may stand.
  const parts = known.postgres ? /^(?:([^@]*)@)?([^/]*)(?:\/(.*))?$/s : /^(?:([^/]*)@)?([^/]*)(?:\/(.*))?$/s;
  const [, login = "", target = "", path] = parts.exec(body) ?? [];
  const [, user, password] = /^([^:]*):?(.*)$/s.exec(login) ?? [];
  const [, ipv6, name, port] = /^(?:\[([0-9a-f:.]+)\]|([^:@[\]]*))(?::(\d+))?$/i.exec(target) ?? [];
  if (ipv6 === undefined && name === undefined) throw broken();
  const others = new Map<string, string>();
  for (const part of query.split("&").filter(Boolean)) {
    const [, key = "", value] = /^([^=]*)=?(.*)$/s.exec(part) ?? [];
    others.set(key, decode(value) ?? "");
  }
  const take = (...keys: string[]): string | undefined => {
    const values = keys.map((key) => others.get(key));
    for (const key of keys) others.delete(key);
    return values.find((value) => value !== undefined);
  };
  const journal = take("journal") ?? "default";
  if (!/^[\w.-]{1,64}$/.test(journal)) throw refuse("the journal=NAME of the address is no name: take 1 to 64 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\"");
  const seconds = Number(take("timeout") ?? 5);
  if (!(seconds >= 0.1 && seconds <= 60)) throw refuse("the timeout of the address is not in 0.1 to 60 seconds");
  const account = take("account");
  if (account !== undefined && account !== "same") throw refuse("account of the address can only be \"same\": leave it out otherwise");
  const fsync = known.postgres ? undefined : take("fsync");
  if (fsync !== undefined && fsync !== "always") throw refuse("fsync of the address can only be \"always\": leave it out otherwise");
  const place: Place = {
    ...known, user: decode(user), password: decode(password), host: ipv6 ?? decode(name) ?? "", port: port === undefined ? undefined : Number(port),
    database: decode(path), journal, account, ca: take("ca_file", "sslrootcert"), timeoutMs: Math.min(Math.round(seconds * 1000), LONGEST_MS), fsync, others,
  };
  const allowed = known.postgres ? OF_POSTGRES : [];
  if ([...others.keys()].some((key) => !allowed.includes(key))) {
    const all = ["journal", "timeout", "account", "ca_file", ...(known.postgres ? OF_POSTGRES : ["fsync"])];
    throw refuse(`the address has a parameter that this command does not know: there are ${all.join(", ")}`);
  }
  // The drivers take their own port for one that is none.
  if (![port, others.get("port")].every((each = "1") => /^\d+$/.test(each) && Number(each) >= 1 && Number(each) <= 65_535)) throw broken();
  if (known.postgres) {
    if (!place.host && !others.get("host")) throw refuse("the address names no host: add it between \"@\" and \"/\"");
    if (`${place.host}${others.get("host") ?? ""}`.includes(",")) throw refuse("the address names several hosts: this command takes one");
    if (!["disable", "prefer", "require", "verify-ca", "verify-full"].includes(others.get("sslmode") ?? "prefer")) throw broken();
  } else if (!/^[\w.:-]+$/.test(place.host) || !/^\d{0,5}$/.test(place.database ?? "")) {
    throw broken();
  }
  return place;
}

/** The user's `pg` or `ioredis`: of the working folder, or beside this package. */
function driver(name: "pg" | "ioredis"): any {
  for (const from of [join(process.cwd(), "package.json"), fileURLToPath(import.meta.url)]) {
    const require = createRequire(from);
    let path;
    try { path = require.resolve(name); } catch { continue; }
    try {
      return require(path);
    } catch (error) {
      throw configError(`--journal: npm's ${name} cannot be loaded from ${path}: ${String((error as Error).message).split("\n", 1)[0]}`);
    }
  }
  throw configError(`--journal: for this address the command needs npm's ${name}, which is not installed here: npm install ${name}`);
}

type Maker = (client: unknown, options: object) => JournalStore;

/** The store of an example of this package. */
async function example(file: string, name: string): Promise<Maker> {
  return (await import(new URL(`../examples/${file}`, import.meta.url).href) as Record<string, Maker>)[name]!;
}

/** Nobody waits for the end of connections: the command ends by itself. */
type Open = { store: JournalStore; end: () => void };

async function postgres(place: Place, ca: string[] | undefined, options: object): Promise<Open> {
  const pg = driver("pg");
  const { others } = place;
  const mode = others.get("sslmode") ?? "prefer";
  // What is not in the address `pg` takes from the environment, which would lead to another journal than that of the other languages.
  const user = others.get("user") || place.user || userInfo().username;
  delete process.env["PGOPTIONS"];
  const config = {
    user, password: others.get("password") ?? place.password, host: others.get("host") ?? place.host,
    port: Number(others.get("port") ?? place.port ?? 5432), database: others.get("dbname") || place.database || user,
    application_name: others.get("application_name") ?? "junfeiai", options: others.get("options"), connectionTimeoutMillis: place.timeoutMs, max: 4,
    ssl: mode === "disable" ? false : ca ? { ca } : {},
  };
  if (mode === "prefer") {
    // `pg` gives up where the server has no TLS.
    const probe = new pg.Client(config);
    probe.on("error", () => undefined);
    await probe.connect().catch((error: Error) => { if (/not support SSL/i.test(error.message)) config.ssl = false; });
    void probe.end().catch(() => undefined);
  }
  const pool = new pg.Pool(config);
  return { store: (await example("postgres-store.mjs", "postgresStore"))(pool, options), end: () => void pool.end().catch(() => undefined) };
}

async function redis(place: Place, ca: string[] | undefined, options: object): Promise<Open> {
  const { Redis } = driver("ioredis");
  if (typeof Redis !== "function") throw configError("--journal: the ioredis that is installed here is older than version 5: npm install ioredis@5");
  const client = new Redis({
    host: place.host, port: place.port ?? 6379, username: place.user, password: place.password, db: Number(place.database ?? 0),
    connectionName: "junfeiai", connectTimeout: place.timeoutMs, lazyConnect: true, autoResendUnfulfilledCommands: false,
    ...(place.tls ? { tls: ca ? { ca } : {} } : {}),
  });
  return { store: (await example("redis-store.mjs", "redisStore"))(client, { ...options, fsync: place.fsync }), end: () => { client.disconnect(); } };
}

/** The journal at this address. Only an operation of it needs the server. */
export async function databaseJournal(address: string): Promise<DatabaseJournal> {
  const place = parse(address);
  let ca: string[] | undefined;
  if (place.ca) {
    try { ca = [...rootCertificates, readFileSync(place.ca, "utf8")]; } catch (error) { throw refuse(`ca_file of the address: ${systemError(error)}`); }
  }
  const warn = (text: string): void => { write(`warning: the journal's database: ${text}\n`, 2); };
  const { store, end } = await (place.postgres ? postgres : redis)(place, ca, { journal: place.journal, timeoutMs: place.timeoutMs, warn });
  return new DatabaseJournal(store, place.account, end);
}

/** A store that knows what is being read and written. */
export class DatabaseJournal implements JournalStore {
  readonly #store: JournalStore;
  readonly #end: () => void;
  readonly #running = new Set<Promise<unknown>>();
  readonly account: "same" | undefined;

  constructor(store: JournalStore, account: "same" | undefined, end: () => void) {
    this.#store = store;
    this.account = account;
    this.#end = end;
  }

  load(name: string): ReturnType<JournalStore["load"]> { return this.#note(this.#store.load(name)); }
  swap(...row: Parameters<JournalStore["swap"]>): ReturnType<JournalStore["swap"]> { return this.#note(this.#store.swap(...row)); }
  scan(prefix: string): ReturnType<JournalStore["scan"]> { return this.#note(this.#store.scan(prefix)); }

  #note<T>(result: T): T {
    const ended: Promise<unknown> = Promise.resolve(result).catch(() => undefined).finally(() => { this.#running.delete(ended); });
    this.#running.add(ended);
    return result;
  }

  /** Waits for what is being written, as the record of a call that was given up is, and ends the connections. */
  async idle(): Promise<void> {
    do {
      await Promise.all(this.#running);
      await setImmediate();
    } while (this.#running.size > 0);
    this.#end();
  }
}
