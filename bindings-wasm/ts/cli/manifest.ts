/** The list of results beside the videos of a batch, `results.jsonl`: what became of each line. */
import { appendFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import type { Line } from "./batch-list.js";
import { MANIFEST, manifestRecords, type Fields } from "./journals.js";

/** Of a record, in this order. */
const FIELDS = ["line", "state", "file", "task_id", "seconds", "duration", "bytes", "cost_units", "cost_usd", "error", "intent", "list", "key"];

/**
 * One object per line of the list. While the batch runs, what is new is appended, and the last object of a line counts; at the end
 * the file is written anew, in the order of the list.
 */
export class Manifest {
  readonly path: string;
  complaint: Error | undefined;
  readonly #folder: string;
  /** Lines of other lists in this folder stay. */
  readonly #others: Fields[];
  readonly #records = new Map<string, Fields>();

  constructor(folder: string, source: string, lines: readonly Line[]) {
    this.path = join(folder, MANIFEST);
    this.#folder = folder;
    const before = manifestRecords(folder);
    const ours = new Set(lines.map(({ request }) => request.key));
    this.#others = [...before].filter(([key]) => !ours.has(key)).map(([, record]) => record);
    for (const line of lines) {
      const { key } = line.request;
      this.#records.set(key, { state: "waiting", ...before.get(key), line: line.number, file: this.#name(line.path), list: source, key, seconds: line.asked ?? null });
    }
    this.write();
  }

  #name(path: string): string {
    const from = relative(resolve(this.#folder), resolve(path));
    return from.startsWith(`..${sep}`) ? path : from;
  }

  /** What has become known of a line. */
  note(line: Line, fields: Fields): void {
    const record = this.#records.get(line.request.key)!;
    if ("state" in fields) delete record["error"];
    for (const [name, value] of Object.entries(fields)) if (value !== null && value !== undefined) record[name] = value;
    // A list of results that cannot be written loses nothing: the journal knows what was paid for.
    this.#try(() => { appendFileSync(this.path, textOf(record)); });
  }

  /** Writes the file anew, whole or not at all. */
  write(): void {
    const made = `${this.path}.new`;
    const records = [...this.#others, ...[...this.#records.values()].sort((one, other) => Number(one["line"]) - Number(other["line"]))];
    this.#try(() => {
      try {
        writeFileSync(made, records.map(textOf).join(""));
        renameSync(made, this.path);
      } catch (error) {
        rmSync(made, { force: true });
        throw error;
      }
    });
  }

  #try(work: () => void): void {
    try { work(); } catch (error) { this.complaint = error as Error; }
  }
}

const textOf = (record: Fields): string =>
  `${JSON.stringify(Object.fromEntries(FIELDS.filter((name) => record[name] !== null && record[name] !== undefined).map((name) => [name, record[name]])))}\n`;
