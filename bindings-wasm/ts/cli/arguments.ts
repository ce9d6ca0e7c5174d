/**
 * The commands, their options and arguments, and how they are read. Node's `parseArgs` takes the words apart; it knows no commands,
 * and a library for them would have to be told all of this, too.
 */
import { parseArgs } from "node:util";
import { withoutKey } from "./output.js";

export type Type = "flag" | "count" | "text" | "list" | "number" | "integer";

export interface Option {
  name: string;
  short?: string;
  type: Type;
  metavar?: string;
  choices?: readonly string[];
  /** What it is when it is not given. */
  preset?: unknown;
  required?: boolean;
  help: string;
}

export interface Argument {
  name: string;
  metavar?: string;
  choices?: readonly string[];
  optional?: boolean;
  preset?: string;
  help?: string;
}

export interface Group {
  title: string;
  options: readonly Option[];
}

export interface Command {
  name: string;
  help: string;
  groups: readonly Group[];
  arguments: readonly Argument[];
}

/** What was given, by the names of options and arguments. */
export interface Options {
  command: string;
  [name: string]: unknown;
}

const COMMON: Group = {
  title: "connection and output",
  options: [
    { name: "api-key-file", type: "text", metavar: "FILE", help: "read the key from this file; otherwise JUNFEIAI_API_KEY" },
    { name: "base-url", type: "text", metavar: "URL", help: '"standard", "china" or a base URL; otherwise JUNFEIAI_BASE_URL' },
    { name: "poll-interval", type: "number", metavar: "S", help: "delay between polls in seconds (starts at 5, backs off to 10)" },
    {
      name: "journal", type: "text", metavar: "FILE|DIR",
      help: "records paid tasks (junfeiai/journal in XDG_STATE_HOME or ~/.local/state, on Windows LOCALAPPDATA); a batch always keeps one in its folder DIR",
    },
    { name: "no-journal", type: "flag", help: "keep no journal" },
    { name: "json", type: "flag", help: "one JSON object per result, for machines" },
    { name: "progress", type: "text", choices: ["auto", "bar", "plain", "none"], preset: "auto", help: "how progress is shown (auto: a bar in a terminal)" },
    { name: "verbose", short: "v", type: "count", help: "log each step; twice: log every request" },
  ],
};

const REQUEST: Group = {
  title: "the video",
  options: [
    { name: "model", type: "text", help: "grok-image-video (the default) or grok-video-1.5" },
    { name: "seconds", type: "text", metavar: "N", help: "length in seconds; without it the server makes and bills 4 s" },
    { name: "size", type: "text", metavar: "WxH", help: "frame size such as 1280x720" },
    { name: "image", type: "list", metavar: "URL|FILE", help: "start image; several are reference images" },
    { name: "key", type: "text", help: "your own name for the job: it is created once per key, however often the command runs" },
    { name: "retry-failed", type: "flag", help: "create another task if the one of this key failed" },
    { name: "validate", type: "text", choices: ["strict", "default", "off"], help: "how strictly the request is checked before it is sent (default)" },
  ],
};

const MONEY: Group = {
  title: "the cost",
  options: [
    { name: "max-cost", type: "number", metavar: "USD", help: "refuse a create request that would cost more, before it is sent" },
    { name: "max-cost-strict", type: "flag", help: "refuse it as well if its cost is not known to be within --max-cost or --budget" },
    {
      name: "budget", type: "number", metavar: "USD",
      help: "refuse a create request if all of this UTC day would cost more together, as the journal says (a batch: its folder's)",
    },
  ],
};

const own = (...options: Option[]): Group => ({ title: "", options });

const WAIT = own({ name: "timeout", type: "number", metavar: "S", help: "maximum wait in seconds (1800)" });
const KEPT = own({ name: "journal-prompts", type: "flag", help: "keep prompts in the journal, for junfeiai pending" });
const CONNECTIONS: Option = { name: "connections", type: "integer", metavar: "N", preset: 1, help: "connections used at once, 1-16 (1)" };

const SAVE: Group = {
  title: "the file",
  options: [
    { name: "output", short: "o", type: "text", metavar: "FILE|DIR/", help: "where to save it (TASK_ID.mp4); with a slash at the end: in this folder" },
    { name: "overwrite", type: "flag", help: "replace an existing file" },
    CONNECTIONS,
    { name: "sha256", type: "flag", help: "compute the hash of the file" },
  ],
};

const PROMPT: Argument = { name: "prompt", help: "what the video shows" };
const TASK: Argument = { name: "task_id" };
const LOCAL: Option = { name: "port", type: "integer", metavar: "N", preset: 0, help: "port on 127.0.0.1 (a free one)" };
const WHAT: Argument = { name: "what", metavar: "FILE|TASK_ID" };

const command = (name: string, help: string, given: readonly Argument[] = [], ...groups: Group[]): Command =>
  ({ name, help, groups: [...groups, COMMON], arguments: given });

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  command("generate", "create a video, wait for it and save it; this costs money", [PROMPT], KEPT, WAIT, REQUEST, MONEY, SAVE),
  command("create", "create a task and print its id; this costs money", [PROMPT], KEPT, REQUEST, MONEY),
  command("estimate", "print what a create request will cost; creates nothing and costs nothing",
    [{ name: "prompt", optional: true, preset: "a video", help: "what the video shows; the cost does not depend on it" }], REQUEST),
  command("get", "print a task's status", [TASK]),
  command("wait", "wait for a task", [TASK], WAIT),
  command("save", "save the video of a task that has succeeded", [TASK], SAVE),
  command("batch", "make every video of a list; run it again to resume; this costs money",
    [{ name: "file", metavar: "FILE", help: 'a request per line, {"prompt": "…", "seconds": 6}, or CSV with a line of field names; - for standard input' }],
    own(
      { name: "output", short: "o", type: "text", metavar: "DIR", required: true, help: "folder for the videos, the journal and results.jsonl" },
      { name: "format", type: "text", choices: ["auto", "jsonl", "csv"], preset: "auto", help: "the form of the list (auto)" },
      { name: "allow-outside", type: "flag", help: "let the list name outputs outside of the folder" },
      { name: "no-wait", type: "flag", help: "fail if another batch is working in the folder, in place of joining it" },
      { name: "concurrency", type: "integer", metavar: "N", preset: 4, help: "tasks at a time (4)" },
      { ...CONNECTIONS, help: "connections for each file (1)" },
    ), KEPT, WAIT, MONEY),
  command("spent", "print what was spent per day and model, from the journal; asks the server nothing", [],
    own({ name: "since", type: "text", metavar: "DATE", help: "from this day on, in UTC, such as 2026-01-31 (everything)" })),
  command("resolve", "say what became of a create request of unknown outcome; see your account's usage page first", [
    { name: "name", metavar: "INTENT", help: "its name in junfeiai pending" },
    { name: "task_id", metavar: "TASK_ID", optional: true, help: "the task that it created" },
  ], own({ name: "not-created", type: "flag", help: "it created nothing: it may be sent again" })),
  command("forget", "take a task or a create request off the list of what is pending",
    [{ name: "name", metavar: "TASK_ID|INTENT", help: "its name in junfeiai pending; a forgotten create request may be sent again" }]),
  command("export", "list everything that a journal says was paid for, even a damaged one; reads the file and changes nothing"),
  command("pending", "list paid tasks that are not saved; with -o, wait for them and save them", [],
    own({ name: "output", short: "o", type: "text", metavar: "DIR", help: "save everything there" })),
  command("reconcile", "find out what became of create requests whose response was lost; costs nothing. With JUNFEIAI_ACCOUNT_TOKEN set, "
    + "the account's access token, lost tasks are found as well (JUNFEIAI_ACCOUNT_USER: the account's number, which older servers want)"),
  command("doctor", "check endpoints, key, clock and proxy; creates nothing and costs nothing", [],
    own({ name: "account", type: "flag", help: "query the models and the balance as well" })),
  command("serve", "serve a file or the video of a task to players on this machine, with seeking; prints the address", [WHAT], own(LOCAL)),
  command("play", "play a file or the video of a task", [WHAT], own(LOCAL,
    { name: "player", type: "text", metavar: "COMMAND", help: "program to play it with, or browser (mpv, vlc, ffplay or the browser)" })),
  command("completion", "print a script that completes commands and options in a shell",
    [{ name: "shell", choices: ["bash", "zsh", "fish"] }]),
];

/** Commands of Python's package that this one does not have, and why. */
const ELSEWHERE: Record<string, string> = {
  mcp: 'the server for agents is in the Python package: install that, then run its junfeiai mcp',
};

export const HELP: Option = { name: "help", short: "h", type: "flag", help: "show this help message and exit" };
export const VERSION: Option = { name: "version", type: "flag", help: "print the version and what it was built for" };

const DESCRIPTION = "Client for the JunFeiAI video API: creates, waits for and downloads videos safely.";
const EPILOG = `Environment: JUNFEIAI_API_KEY (the key), JUNFEIAI_BASE_URL ("standard", "china", a base URL, several with commas),
JUNFEIAI_VIDEO_BASE_URL, JUNFEIAI_LOG (error, warn, info, debug, trace); HTTPS_PROXY, NO_PROXY, NODE_EXTRA_CA_CERTS.

Example: junfeiai generate "A small red ball bouncing once" --seconds 6 -o ball.mp4

Exit codes: 0 done, 1 any other failure, 2 wrong usage or options, 3 the task failed, 4 the wait timed out, 5 key, rights
or balance, 6 network, 7 a create request of unknown outcome, 130 Ctrl-C, 143 SIGTERM, 129 a closed terminal.
`;

/** What the arguments ask for: a command, a text to print, or nothing that can be done. */
export type Parsed = { options: Options } | { print: string } | { version: true } | { error: string };

/** The name of an option or argument in `Options`. */
const nameOf = ({ name }: { name: string }): string => name.replaceAll("-", "_");

const optionsOf = (groups: readonly Group[]): Option[] => groups.flatMap((group) => group.options);

/** Every option by its name: what has the same name in two commands takes a value in both, or in neither. */
function everyOption(): Map<string, Option> {
  const all = [HELP, VERSION, { name: "api-key", type: "text", help: "" } as Option, ...COMMANDS.flatMap(({ groups }) => optionsOf(groups))];
  return new Map(all.map((option) => [option.name, option]));
}

const takesValue = ({ type }: Option): boolean => type !== "flag" && type !== "count";

/** Reads a command line without its first two words. */
export function parse(words: readonly string[]): Parsed {
  const every = everyOption();
  const { tokens } = parseArgs({
    args: [...words], strict: false, allowPositionals: true, tokens: true,
    options: Object.fromEntries([...every].map(([name, option]) => [name, {
      type: takesValue(option) ? "string" as const : "boolean" as const, multiple: true, ...(option.short !== undefined && { short: option.short }),
    }])),
  });
  let chosen: Command | undefined;
  const fail = (text: string): Parsed => ({ error: `${usage(chosen)}junfeiai${chosen ? ` ${chosen.name}` : ""}: error: ${text}\n` });
  const given = new Map<string, unknown>();
  const positionals: string[] = [];
  const strange: string[] = [];
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      if (chosen) {
        positionals.push(token.value);
        continue;
      }
      chosen = COMMANDS.find(({ name }) => name === token.value);
      if (!chosen && Object.hasOwn(ELSEWHERE, token.value)) return { error: `error: ${ELSEWHERE[token.value]}\n` };
      if (!chosen) return fail(`argument COMMAND: invalid choice: '${token.value}' (choose from ${COMMANDS.map(({ name }) => `'${name}'`).join(", ")})`);
      continue;
    }
    const { name, rawName } = token;
    if (name === "help") return { print: help(chosen) };
    if (name === "version" && !chosen) return { version: true };
    if (name === "api-key") return fail("the key is never given on the command line: set JUNFEIAI_API_KEY or use --api-key-file FILE");
    const option = optionsOf(chosen?.groups ?? [COMMON]).find((one) => one.name === name);
    if (!option || rawName.replace(/^--?/, "") !== (rawName.startsWith("--") ? name : option.short)) {
      strange.push(rawName);
      continue;
    }
    const result = read(option, token.value, token.inlineValue === true, given.get(nameOf(option)));
    if ("error" in result) return fail(`argument ${signs(option)}: ${result.error}`);
    given.set(nameOf(option), result.value);
  }
  if (!chosen) return fail(strange.length > 0 ? `unrecognized arguments: ${strange.join(" ")}` : "the following arguments are required: COMMAND");
  for (const [at, argument] of chosen.arguments.entries()) {
    const value = positionals[at] ?? argument.preset;
    if (value !== undefined && argument.choices && !argument.choices.includes(value)) return fail(`argument ${argument.name}: ${wrongChoice(value, argument.choices)}`);
    if (value !== undefined) given.set(nameOf(argument), value);
  }
  const wanted = [...chosen.arguments.filter((one) => !one.optional), ...optionsOf(chosen.groups).filter(({ required }) => required)];
  const missing = wanted.filter((one) => !given.has(nameOf(one)));
  if (missing.length > 0) return fail(`the following arguments are required: ${missing.map((one) => ("type" in one ? signs(one) : one.metavar ?? one.name)).join(", ")}`
    + (strange.length > 0 ? "; one that begins with - is written behind --, at the end" : ""));
  strange.push(...positionals.slice(chosen.arguments.length));
  if (strange.length > 0) return fail(`unrecognized arguments: ${strange.join(" ")}`);
  if (chosen.name === "resolve" && given.has("task_id") === (given.get("not_created") === true)) {
    return fail(given.has("task_id") ? "argument --not-created: not allowed with argument TASK_ID" : "one of the arguments TASK_ID --not-created is required");
  }
  // Node reads what is no UTF-8 as this letter. The name of a file may hold it.
  const odd = [...chosen.arguments, ...optionsOf(chosen.groups)].find((one) =>
    !/FILE|DIR|COMMAND/.test(one.metavar ?? "") && [given.get(nameOf(one))].flat().some((value) => typeof value === "string" && value.includes("\ufffd")));
  if (odd) return fail(`argument ${"type" in odd ? signs(odd) : odd.name}: it is not UTF-8`);
  // It would be sent in an address, kept in the journal and printed.
  const named = ["task_id", "name"].find((name) => { const value = (given.get(name) ?? "") as string; return withoutKey(value) !== value; });
  if (named !== undefined) return fail(`argument ${named}: it holds an API key, and no task has such an id: junfeiai pending lists what there is`);
  const presets = optionsOf(chosen.groups).map((option) => [nameOf(option), option.preset ?? (option.type === "flag" ? false : option.type === "count" ? 0 : undefined)]);
  return { options: { ...Object.fromEntries(presets), ...Object.fromEntries(given), command: chosen.name } as Options };
}

const wrongChoice = (value: string, choices: readonly string[]): string => `invalid choice: '${value}' (choose from ${choices.map((one) => `'${one}'`).join(", ")})`;

/** The value of an option. A word that looks like an option is none, unless it stands behind `=`. */
function read(option: Option, text: string | undefined, inline: boolean, before: unknown): { value: unknown } | { error: string } {
  if (!takesValue(option)) {
    if (text !== undefined) return { error: `ignored explicit argument '${text}'` };
    return { value: option.type === "count" ? Number(before ?? 0) + 1 : true };
  }
  if (text === undefined) return { error: "expected one argument" };
  if (!inline && /^-(?![\d.])./.test(text)) return { error: `expected one argument; a value that begins with - is written --${option.name}=VALUE` };
  if (option.choices && !option.choices.includes(text)) return { error: wrongChoice(text, option.choices) };
  if (option.type === "list") return { value: [...before as string[] | undefined ?? [], text] };
  if (option.type === "text") return { value: text };
  const plain = text.trim().toLowerCase();
  const words: Record<string, number> = { nan: NaN, inf: Infinity, "+inf": Infinity, "-inf": -Infinity, infinity: Infinity };
  if (option.type === "integer") return /^[+-]?\d+$/.test(plain) ? { value: Number(plain) } : { error: `invalid int value: '${text}'` };
  const number = words[plain] ?? (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(plain) ? Number(plain) : undefined);
  return number === undefined ? { error: `invalid float value: '${text}'` } : { value: number };
}

/** An option as it is written: `-o/--output`. */
const signs = ({ name, short }: Option): string => (short === undefined ? `--${name}` : `-${short}/--${name}`);

function valueOf(option: Option): string {
  if (!takesValue(option)) return "";
  return ` ${option.choices ? `{${option.choices.join(",")}}` : option.metavar ?? nameOf(option).toUpperCase()}`;
}

const written = (argument: Argument): string => argument.choices ? `{${argument.choices.join(",")}}` : argument.metavar ?? argument.name;

/** Words in lines of at most 100 letters, each line after the first indented. */
function wrapped(text: string, first: string, indent: string): string {
  const lines: string[] = [];
  let line = first;
  for (const word of text.split(" ")) {
    if (line.length + word.length + 1 > 100 && line.trim() !== "") {
      lines.push(line.trimEnd());
      line = indent;
    }
    line += `${line === "" || line.endsWith(" ") ? "" : " "}${word}`;
  }
  return `${[...lines, line.trimEnd()].join("\n")}\n`;
}

/** How a command is written. */
export function usage(command?: Command): string {
  if (!command) return "usage: junfeiai [OPTIONS] COMMAND ...\n";
  const options = [HELP, ...optionsOf(command.groups)].map((option) => {
    const text = `${option.short === undefined ? `--${option.name}` : `-${option.short}`}${valueOf(option)}`;
    return option.required ? text : `[${text}]`;
  });
  const given = command.arguments.map((argument) => (argument.optional ? `[${written(argument)}]` : written(argument)));
  const first = `usage: junfeiai ${command.name} `;
  return wrapped([...options, ...given].join(" "), first, " ".repeat(first.length));
}

const row = (name: string, text: string): string => {
  const first = `  ${name}`;
  return first.length < 23 ? wrapped(text, first.padEnd(24), " ".repeat(24)) : `${first}\n${wrapped(text, " ".repeat(24), " ".repeat(24))}`;
};

const optionRow = (option: Option): string => row(`${option.short === undefined ? "" : `-${option.short}, `}--${option.name}${valueOf(option)}`, option.help);

/** The help of the command, or of one of its commands. */
export function help(command?: Command): string {
  if (!command) {
    const commands = COMMANDS.map(({ name, help: text }) => wrapped(text, `    ${name}`.padEnd(24), " ".repeat(24))).join("");
    const options = [HELP, VERSION].map(optionRow).join("");
    const common = COMMON.options.map(optionRow).join("");
    return `${usage()}\n${DESCRIPTION}\n\npositional arguments:\n  COMMAND\n${commands}\noptions:\n${options}\n${COMMON.title}:\n${common}\n${EPILOG}`;
  }
  const parts = [`${usage(command)}\n${wrapped(command.help, "", "")}`];
  if (command.arguments.length > 0) parts.push(`positional arguments:\n${command.arguments.map((one) => row(written(one), one.help ?? "")).join("")}`);
  const plain = [HELP, ...optionsOf(command.groups.filter(({ title }) => title === ""))];
  parts.push(`options:\n${plain.map(optionRow).join("")}`);
  for (const { title, options } of command.groups) if (title !== "") parts.push(`${title}:\n${options.map(optionRow).join("")}`);
  return parts.join("\n");
}
