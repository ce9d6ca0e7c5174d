/**
 * A journal's rows in IndexedDB, for the tabs and workers of one origin.
 *
 * Each comparing and setting is one transaction, which the browser carries out alone, and which counts as ended when it is on the disk.
 * All rows take their versions from one number, so that none comes back, also when a row is removed and made anew.
 */
import type { JournalStore, StoreRow } from "./values.js";

/** The form of the database. A later one gives it a higher number, and this code refuses it then. */
const FORM = 1;
const ROWS = "rows";
const NUMBERS = "numbers";
const LATEST = "latest";
/** Less than the core waits for an operation: one that was given up must not write later. */
const [OPEN_MS, MOST_MS] = [8000, 9000];

/** What IndexedDB says in a way of its own. */
const ADVICE: Record<string, string> = {
  VersionError: "it was written by a newer version of this library: load the page again",
  AbortError: "the browser aborted the transaction: try again",
  QuotaExceededError: "this site may not store any more: free some space on the disk, or remove what else the site stores",
};

export class IndexedDbStore implements JournalStore {
  readonly #name: string;
  #database: Promise<IDBDatabase> | undefined;
  /** It was there: one that is begun anew would know nothing of what was paid for. */
  #seen = false;

  constructor(name: string) {
    this.#name = `junfeiai-journal:${name}`;
  }

  load(name: string): Promise<StoreRow | null> {
    return this.#run("readonly", async (rows) => (await ended(rows.get(name)) as StoreRow | undefined) ?? null);
  }

  swap(name: string, expected: number | null, value: string | null): Promise<number | null> {
    return this.#run("readwrite", async (rows, numbers) => {
      const before = await ended(rows.get(name)) as StoreRow | undefined;
      if ((before?.version ?? null) !== expected) return null;
      const version = ((await ended(numbers.get(LATEST)) as number | undefined) ?? 0) + 1;
      numbers.put(version, LATEST);
      if (value === null) rows.delete(name);
      else rows.put({ value, version }, name);
      return version;
    });
  }

  scan(prefix: string): Promise<(StoreRow & { name: string })[]> {
    return this.#run("readonly", async (rows) => {
      const from = IDBKeyRange.lowerBound(prefix);
      const [names, values] = await Promise.all([ended(rows.getAllKeys(from)), ended(rows.getAll(from) as IDBRequest<StoreRow[]>)]);
      return values.flatMap((row, at) => {
        const name = String(names[at]);
        return name.startsWith(prefix) ? [{ name, ...row }] : [];
      });
    });
  }

  /** One transaction; what it gives is on the disk. It may have to wait for those of other tabs. */
  async #run<T>(mode: IDBTransactionMode, work: (rows: IDBObjectStore, numbers: IDBObjectStore) => Promise<T>): Promise<T> {
    let transaction: IDBTransaction | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        try {
          transaction?.abort();
        } catch {
          // It is being written: how that ends is not known yet.
          return;
        }
        over = true;
        reject(new Error(`it was not done within ${MOST_MS / 1000} s: close the other tabs of this site, then try again`));
      }, MOST_MS);
    });
    const all = async (): Promise<T> => {
      transaction = await this.#begin(mode);
      if (over) transaction.abort();
      const [result] = await Promise.all([work(transaction.objectStore(ROWS), transaction.objectStore(NUMBERS)), completed(transaction)]);
      return result;
    };
    try {
      return await Promise.race([all(), late]);
    } catch (error) {
      throw explained(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #begin(mode: IDBTransactionMode): Promise<IDBTransaction> {
    const begin = async (): Promise<IDBTransaction> => (await this.#open()).transaction([ROWS, NUMBERS], mode, { durability: "strict" });
    try {
      return await begin();
    } catch (error) {
      // The browser closes connections of pages that it put to sleep.
      if ((error as Error).name !== "InvalidStateError") throw error;
      this.#database = undefined;
      return begin();
    }
  }

  #open(): Promise<IDBDatabase> {
    this.#database ??= opened(this.#name, !this.#seen, () => { this.#database = undefined; }).then((database) => {
      this.#seen = true;
      return database;
    }, (error: unknown) => {
      this.#database = undefined;
      throw error;
    });
    return this.#database;
  }
}

function opened(name: string, mayBegin: boolean, closed: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, FORM);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new Error(`the database ${name} does not open: close the other tabs of this site`));
    }, OPEN_MS);
    let gone = false;
    request.onupgradeneeded = ({ oldVersion }) => {
      if (oldVersion === 0 && !mayBegin) {
        gone = true;
        request.transaction?.abort();
        return;
      }
      for (const store of [ROWS, NUMBERS]) request.result.createObjectStore(store);
    };
    request.onerror = () => {
      clearTimeout(timer);
      reject(gone ? new Error("it was deleted while it is in use: make a new client, which begins another") : request.error ?? new Error("it cannot be opened"));
    };
    request.onsuccess = () => {
      clearTimeout(timer);
      const database = request.result;
      const ours = [ROWS, NUMBERS].every((store) => database.objectStoreNames.contains(store));
      if (late || !ours) {
        database.close();
        reject(new Error(`the database ${name} was not made by this library: give the journal another name`));
        return;
      }
      database.onclose = closed;
      // Gives way to a newer version of this library, and to who deletes it.
      database.onversionchange = () => {
        database.close();
        closed();
      };
      resolve(database);
    };
  });
}

const ended = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => { resolve(request.result); };
    request.onerror = () => { reject(request.error ?? new Error("a request failed")); };
  });

const completed = (transaction: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => { resolve(); };
    transaction.onabort = () => { reject(transaction.error ?? new Error("the transaction was aborted: try again")); };
  });

function explained(error: unknown): Error {
  const { name, message } = error as Error;
  const advice = ADVICE[name];
  if (advice !== undefined) return new Error(advice, { cause: error });
  if (name === "Error") return error as Error;
  return new Error(`IndexedDB: ${name}: ${message || "no reason was given"}; allow this site to store data, or leave private browsing`, { cause: error });
}
