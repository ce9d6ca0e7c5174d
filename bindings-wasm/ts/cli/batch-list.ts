/** The list of a batch: JSON lines or CSV, from a file or standard input, in the encodings that spreadsheets write. */
import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { JunFeiAIError, type VideoRequest } from "#main";
import { inCore, meant } from "../names.js";
import { REQUEST } from "../option-types.js";
import { image } from "./client-options.js";
import { csvRows, CsvMistake } from "./csv.js";
import { BESIDE, fingerprint, real } from "./dry-run.js";
import { CommandError, listError } from "./exit-codes.js";
import { BATCH_JOURNAL, BATCH_LOCK, isFile, MANIFEST } from "./journals.js";
import { systemError, textOf } from "./output.js";

/** What a line may have besides the fields of a request. */
const OUTPUT = "output";
/** The fields as they are written in a list, the same as the arguments of `create` in Python. */
const FIELDS = new Map(REQUEST.map((name) => [inCore(name), name]));

/** How a list of JSON is written. */
const FORM = "write each request as one object in one line, without brackets or commas around it";

/** Marks at the beginning of a text. Longer ones first: UTF-32's begins as UTF-16's. */
const MARKS: [number[], string][] = [
  [[0xff, 0xfe, 0, 0], "utf-32-le"], [[0, 0, 0xfe, 0xff], "utf-32-be"], [[0xef, 0xbb, 0xbf], "utf-8"], [[0xff, 0xfe], "utf-16le"], [[0xfe, 0xff], "utf-16be"],
];

type Given = Record<string, unknown>;

/** One request of the list. */
export class Line {
  constructor(
    readonly number: number, readonly request: VideoRequest & { key: string }, readonly fingerprint: string, readonly path: string,
    /** The length as the list has it. */
    readonly asked: unknown,
  ) {}

  /** True when its video exists. A name that no file can have is refused by `check`. */
  get done(): boolean { return isFile(this.path); }
}

export interface How {
  form: string;
  allowOutside: boolean;
}

/** Reads and checks the whole list before anything is paid. `source` is a file, or `-` for standard input. */
export async function readList(source: string, folder: string, { form, allowOutside }: How): Promise<Line[]> {
  const name = nameOfList(source);
  if (name === "") throw listError("the name of the list is empty: give a file, or - for standard input");
  // A shell's `<(…)` is a pipe below /dev/fd, where no images are.
  const base = source !== "-" && isFile(source) ? dirname(source) : "";
  const text = decoded(name, bytesOf(source, name));
  const lines: Line[] = [];
  const seen = new Map<string, number>();
  const numbers = new Map<string, number>();
  for (const [number, given] of rows(name, text, form)) {
    const refuse = (why: string): CommandError => listError(`${name}, line ${number}: ${why}`);
    let request: VideoRequest;
    let output: string | undefined;
    let print: string;
    try {
      ({ request, output } = requestOf(given, base));
      print = await fingerprint(request);
    } catch (error) {
      throw error instanceof JunFeiAIError || error instanceof CommandError || error instanceof TypeError || (error as { code?: unknown }).code !== undefined
        ? refuse(textOf(error)) : error;
    }
    const count = (seen.get(print) ?? 0) + 1;
    seen.set(print, count);
    const twin = count > 1 ? `-${count}` : "";
    // A line that failed is tried again by the next run.
    const key = request.key ?? `batch/${print}${twin}`;
    const whole = request.key === undefined ? { retryFailed: true, ...request, key } : { ...request, key };
    const own = `${print.slice(0, 16)}${twin}.mp4`;
    // A folder's name with a slash means a file in it.
    const path = output ? inside(folder, output.endsWith("/") || output.endsWith(sep) ? output + own : output, allowOutside, refuse) : join(folder, own);
    const first = numbers.get(key) ?? number;
    if (first !== number) throw refuse(`its key '${key}' is the one of line ${first}`);
    numbers.set(key, number);
    lines.push(new Line(number, whole, print, path, given["seconds"] ?? given["duration"]));
  }
  const taken = new Map<string, number>();
  const places = lines.map(({ number, path }) => ({ number, place: onDisk(path) }));
  for (const { number, place } of places) {
    const first = taken.get(place);
    if (first !== undefined) throw listError(`${name}, line ${number}: its output is the one of line ${first}`);
    taken.set(place, number);
  }
  for (const { number, place } of places) {
    for (let folder = dirname(place); folder !== dirname(folder); folder = dirname(folder)) {
      const above = taken.get(folder);
      if (above !== undefined) throw listError(`${name}, line ${number}: its output is in a folder that is the file of line ${above}`);
    }
    for (const suffix of BESIDE) {
      const beside = taken.get(place + suffix);
      if (beside !== undefined) throw listError(`${name}, line ${beside}: its output is the name of what is kept while the video of line ${number} is saved`);
    }
  }
  return lines;
}

/** What a list is called in messages. */
export const nameOfList = (source: string): string => (source === "-" ? "standard input" : source);

function bytesOf(source: string, name: string): Buffer {
  try {
    return readFileSync(source === "-" ? 0 : source);
  } catch (error) {
    // Node does not name what it could open and not read.
    throw listError(`the list ${systemError(Object.assign(error as Error, { path: name }))}`);
  }
}

/** The text, in UTF-8 or in what its mark says. */
function decoded(name: string, data: Buffer): string {
  const text = inEncoding(name, data);
  const zero = text.indexOf("\0");
  if (zero >= 0) {
    throw listError(`${name}, line ${text.slice(0, zero).split("\n").length}: it holds a zero byte, as UTF-16 without a mark does: save the list as UTF-8`);
  }
  return text;
}

function inEncoding(name: string, data: Buffer): string {
  const [mark, encoding] = MARKS.find(([bytes]) => bytes.every((byte, at) => data[at] === byte)) ?? [[], "utf-8"];
  const bytes = data.subarray(mark.length);
  try {
    return encoding.startsWith("utf-32") ? utf32(bytes, encoding === "utf-32-le") : new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const line = bytes.toString("latin1", 0, readable(bytes, encoding)).split("\n").length;
    throw listError(`${name}, line ${line}: it is not ${encoding.toUpperCase()}: save the list as UTF-8`);
  }
}

function utf32(bytes: Buffer, little: boolean): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4) text += String.fromCodePoint(little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  return text;
}

/** How many bytes of a text can be read. */
function readable(bytes: Buffer, encoding: string): number {
  const decoder = new TextDecoder(encoding.startsWith("utf-16") ? encoding : "utf-8", { fatal: true });
  let [low, high] = [0, bytes.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    try {
      decoder.decode(bytes.subarray(0, middle), { stream: true });
      low = middle;
    } catch {
      high = middle - 1;
    }
    // A fresh start for the next part.
    try { decoder.decode(); } catch { /* the part ended in the middle of a letter */ }
  }
  return low;
}

const headOf = (text: string): string => text.trimStart().split("\n", 1)[0]!.toLowerCase();

/** Number and fields of each line that is not empty. */
function* rows(name: string, text: string, form: string): Generator<[number, Given]> {
  const first = text.trimStart().slice(0, 1);
  const looksLikeCsv = /\.(csv|tsv)$/i.test(name) || (!["", "{", "["].includes(first) && headOf(text).includes("prompt"));
  if (form === "csv" || (form === "auto" && looksLikeCsv)) {
    yield* csvLines(name, text);
    return;
  }
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    let fields: unknown;
    try {
      fields = JSON.parse(line);
    } catch (error) {
      throw listError(`${name}, line ${at + 1}: it is not JSON: ${(error as Error).message}; ${FORM}`);
    }
    const twice = givenTwice(line);
    if (twice === TOO_DEEP) throw listError(`${name}, line ${at + 1}: it is not JSON that can be read: it is nested too deeply`);
    if (twice !== undefined) throw listError(`${name}, line ${at + 1}: field '${twice}' is given twice: leave out one of them`);
    if (typeof fields !== "object" || fields === null || Array.isArray(fields)) throw listError(`${name}, line ${at + 1}: a JSON object is expected: ${FORM}`);
    yield [at + 1, fields as Given];
  }
}

/** More levels than the core reads. */
const DEPTH = 120;
const TOO_DEEP = Symbol("nested too deeply");

/** A field of an object that stands there twice, one of which would be passed over. The text is JSON. */
function givenTwice(line: string): string | typeof TOO_DEEP | undefined {
  const seen: (Set<string> | undefined)[] = [];
  let before = "";
  for (const [token] of line.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    if (token === "{") seen.push(new Set());
    else if (token === "[") seen.push(undefined);
    else if (token === "}" || token === "]") seen.pop();
    if (seen.length > DEPTH) return TOO_DEEP;
    const fields = seen.at(-1);
    if (fields && token.startsWith('"') && before !== ":") {
      const field = JSON.parse(token) as string;
      if (fields.has(field)) return field;
      fields.add(field);
    }
    before = token;
  }
  return undefined;
}

/** Empty cells are not given. */
function* csvLines(name: string, text: string): Generator<[number, Given]> {
  const head = headOf(text);
  const separator = [",", ";", "\t"].reduce((best, one) => (head.split(one).length > head.split(best).length ? one : best));
  let found;
  try {
    found = csvRows(text, separator);
  } catch (error) {
    if (!(error instanceof CsvMistake)) throw error;
    throw listError(`${name}, line ${error.number}: it is not CSV: ${error.message}`);
  }
  let names: string[] | undefined;
  for (const { number, cells } of found) {
    if (!cells.some((cell) => cell.trim() !== "")) continue;
    if (!names) {
      names = cells.map((cell) => cell.trim());
      if (!names.includes("prompt")) {
        const near = names.find((one) => meant(one, ["prompt"]));
        throw listError(`${name}, line ${number}: the first line of CSV names the fields, one of them prompt${near ? `: write it as prompt, not '${near}'` : ""}`);
      }
      const twice = names.find((one, at) => one !== "" && names!.indexOf(one) < at);
      if (twice !== undefined) throw listError(`${name}, line ${number}: field '${twice}' is given twice: leave out one of them`);
      continue;
    }
    if (cells.slice(names.length).some((cell) => cell !== "")) {
      throw listError(`${name}, line ${number}: it has ${cells.length} cells, but the first line names ${names.length} fields`);
    }
    const fields = names.map((field, at) => [field, cells[at] ?? ""] as const).filter(([field, cell]) => field !== "" && cell !== "");
    yield [number, Object.fromEntries(fields.map(([field, cell]) => [field, cellOf(name, number, field, cell)]))];
  }
}

/** Text stands for itself, but for the fields that are none. */
function cellOf(name: string, number: number, field: string, cell: string): unknown {
  if (field === "images") return cell.split("|").map((one) => one.trim()).filter(Boolean);
  if (field !== "extra" && field !== "retry_failed") return cell;
  try {
    return JSON.parse(field === "retry_failed" ? cell.toLowerCase() : cell);
  } catch (error) {
    throw listError(`${name}, line ${number}: field '${field}' is not JSON: ${(error as Error).message}`);
  }
}

/** The name of a type as Python's command says it. */
function typeName(value: unknown): string {
  if (Array.isArray(value)) return "list";
  return { number: Number.isInteger(value) ? "int" : "float", boolean: "bool", object: "dict" }[typeof value as string] ?? "str";
}

/** Whether a text in it has half of a letter, which stands alone: it would be sent as another one. */
function hasHalf(value: unknown): boolean {
  if (typeof value === "string") return /\p{Surrogate}/u.test(value);
  return typeof value === "object" && value !== null && Object.entries(value).flat().some(hasHalf);
}

/** The request of a line, and its output. A field that does not exist is named, with the one that may be meant. */
function requestOf(given: Given, base: string): { request: VideoRequest; output: string | undefined } {
  const known = [...FIELDS.keys(), OUTPUT];
  for (const field of Object.keys(given)) {
    if (known.includes(field)) continue;
    const near = meant(field, known);
    throw listError(`there is no field '${field}': ${near ? `did you mean '${near}'?` : "fields of a model go into 'extra'"}`);
  }
  const half = Object.keys(given).find((field) => hasHalf(given[field]));
  if (half !== undefined) throw listError(`field '${half}' holds half of a letter (a lone surrogate), which cannot be sent: correct it`);
  const { [OUTPUT]: output, ...fields } = given;
  if (output !== undefined && output !== null && typeof output !== "string") throw listError(`argument 'output': expected str, got ${typeName(output)}`);
  // The check below creates nothing under a key, and so does not look at this.
  const retry = fields["retry_failed"] ?? false;
  if (typeof retry !== "boolean") throw listError(`argument 'retry_failed': expected bool, got ${typeName(retry)}`);
  const request = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null).map(([field, value]) => [FIELDS.get(field)!, value])) as VideoRequest;
  if (typeof request.image === "string") request.image = image(request.image, base);
  if (Array.isArray(request.images)) request.images = request.images.map((one: unknown) => (typeof one === "string" ? image(one, base) : one as string));
  return { request, output: output || undefined };
}

/** The same for two names of one file. A name that no file can have is refused later, with the reason. */
function onDisk(path: string): string {
  return folded(path.includes("\0") ? resolve(path) : real(resolve(path)));
}

/** Windows and macOS do not tell letters apart by case, nor by whether they are written as one or as two. */
const folded = (name: string): string => (["win32", "darwin"].includes(process.platform) ? name.toLowerCase().normalize("NFC") : name);

/** The file of a line. A list from elsewhere writes nowhere but into the folder, unless that is allowed. */
function inside(folder: string, name: string, allowOutside: boolean, refuse: (why: string) => CommandError): string {
  // As it is written: `join` would leave out what it can.
  const path = isAbsolute(name) ? name : `${folder}${/[/\\]$/.test(folder) ? "" : sep}${name}`;
  // A name that no file can have is refused later, with the reason.
  if (name.includes("\0")) return path;
  const place = real(resolve(folder));
  const wanted = real(resolve(folder, name));
  const from = relative(place, wanted);
  const outside = from === ".." || from.startsWith(`..${sep}`) || isAbsolute(from);
  if (outside && !allowOutside) throw refuse(`its output '${name}' is outside of ${folder}: give --allow-outside to allow that`);
  const own = folded(from);
  if (!own.includes(sep) && ([MANIFEST, `${MANIFEST}.new`, BATCH_LOCK].includes(own) || own.startsWith(BATCH_JOURNAL))) {
    throw refuse(`its output '${name}' is a file of the batch itself: choose another name`);
  }
  return path;
}
