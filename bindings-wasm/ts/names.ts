/** Names of options: camelCase and milliseconds here, snake_case and seconds in the core. */
import { CLIENT, REQUEST } from "./option-types.js";
import type { RawRecord } from "./raw.js";

/** What the core calls an option. */
export const inCore = (name: string): string => name.replace(/Ms$/, "").replace(/URL|[A-Z]/g, (part) => `_${part.toLowerCase()}`);

const HERE = new Map([...CLIENT, ...REQUEST, "maxBytes", "rateLimit", "taskId", "accountToken", "accountUser", "waitState"].map((name) => [inCore(name), name]));

/** A text of the core about this field, with the names of options as the caller writes them. */
export const translate = (text: string, field?: string | null): string =>
  text.replace(/\w+/g, (word) => (word === field || word.includes("_") ? HERE.get(word) ?? word : word));

/** Whether a text names options, as this side says it: what is wrong with a connection, or with a key's earlier task. */
export const isOurs = ({ number, phase }: { number?: number; phase: string }): boolean =>
  Number(number) < 20 || number === 30 || (Number(number) >= 40 && phase === "create");

/** An error of the core with the names that the caller writes. Where a server may be quoted, nothing is changed. */
export function translated(record: RawRecord): RawRecord {
  if (!isOurs(record)) return record;
  const { field, message, text } = record;
  const name = field ? translate(field, field) : null;
  // The builds for pages list the options that they have.
  const elsewhere = message.startsWith(`${field} is not one of the options: `) && (CLIENT as readonly string[]).includes(name ?? "");
  const page = /^(j|b|m)/.test(`${name}`) ? ", and for \"junfeiai\" with a journal in a page" : "";
  const said = elsewhere ? `${name} is for Node, Bun and Deno${page}: leave it out here` : translate(message, field);
  // The text begins with the message.
  return { ...record, field: name, message: said, ...(text && { text: said + translate(text.slice(message.length), field) }) };
}

/** The name that was probably meant: written otherwise, with letters too many or too few, or in another order. */
export function meant(given: string, names: readonly string[]): string | undefined {
  const plain = (name: string): string => name.toLowerCase().replace(/[^a-z]|ms$/g, "");
  const within = (short: string, long: string): boolean => {
    let at = 0;
    for (const letter of long) if (letter === short[at]) at += 1;
    return at > 2 && at === short.length;
  };
  const sorted = (name: string): string => [...plain(name)].sort().join("");
  const word = plain(given);
  const off = (name: string): number => Math.abs(plain(name).length - word.length);
  return names.filter((name) => within(word, plain(name)) || within(plain(name), word) || sorted(name) === sorted(given))
    .sort((one, other) => off(one) - off(other))[0];
}
