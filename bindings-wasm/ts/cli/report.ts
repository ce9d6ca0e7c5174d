/** What `doctor` found, as data and as text: the same as the core's `CheckReport` shows. */
interface Step {
  name: string;
  status: string;
  detail: string;
  advice: string | null;
}

interface Entry {
  endpoint: string;
  in_use: boolean;
  ok: boolean;
  steps: Step[];
  latency_s: number | null;
  clock_skew_s: number | null;
  request_id: string | null;
}

interface Report {
  version: string;
  ok: boolean;
  entries: Entry[];
  steps: Step[];
}

const WORDS: Record<string, string> = { ok: "ok", warn: "WARN", fail: "FAIL", skipped: "-" };

const lines = (steps: readonly Step[]): string => steps.map(({ name, status, detail, advice }) =>
  `\n  ${name.padEnd(11)} ${(WORDS[status] ?? status).padEnd(5)} ${detail}${advice === null ? "" : `\n  ${" ".repeat(17)} → ${advice}`}`).join("");

export function reportText(fields: Record<string, unknown>): { fields: Record<string, unknown>; text: string; ok: boolean; failed: string[] } {
  const { version, ok, entries, steps } = fields as unknown as Report;
  const good = entries.filter((entry) => entry.ok).length;
  let text = `junfeiai ${version}: ${ok ? "ready" : "NOT ready"}, ${good} of ${entries.length} entries can be used`;
  for (const entry of entries) {
    text += `\n\n${entry.endpoint}${entry.in_use ? " (in use)" : ""}`;
    if (entry.latency_s !== null) text += `, ${Math.floor(entry.latency_s * 1000)} ms`;
    if (entry.request_id !== null) text += `, request ${entry.request_id}`;
    text += lines(entry.steps);
  }
  const failed = entries.flatMap((entry) => entry.steps.filter(({ status }) => status === "fail").map(({ name }) => name));
  return { fields, text: `${text}\n\naround it${lines(steps)}`, ok, failed };
}
