/** What `doctor` found, as data and as text: the same as the core's `CheckReport` shows. */
import type { CheckReport, CheckStep } from "#main";

const WORDS: Record<string, string> = { ok: "ok", warn: "WARN", fail: "FAIL", skipped: "-" };

const lines = (steps: readonly CheckStep[]): string => steps.map(({ name, status, detail, advice }) =>
  `\n  ${name.padEnd(11)} ${(WORDS[status] ?? status).padEnd(5)} ${detail}${advice === null ? "" : `\n  ${" ".repeat(17)} → ${advice}`}`).join("");

export function reportText({ version, ok, entries, steps, models, balance }: CheckReport): { fields: Record<string, unknown>; text: string; ok: boolean; failed: string[] } {
  const good = entries.filter((entry) => entry.ok).length;
  let text = `junfeiai ${version}: ${ok ? "ready" : "NOT ready"}, ${good} of ${entries.length} entries can be used`;
  for (const { endpoint, inUse, latencyMs, requestId, steps: own } of entries) {
    text += `\n\n${endpoint}${inUse ? " (in use)" : ""}`;
    if (latencyMs !== null) text += `, ${Math.floor(latencyMs)} ms`;
    if (requestId !== null) text += `, request ${requestId}`;
    text += lines(own);
  }
  const failed = entries.flatMap((entry) => entry.steps.filter(({ status }) => status === "fail").map(({ name }) => name));
  const units = (usd: number | null): number | null => usd === null ? null : Math.round(usd * 500_000);
  const seconds = (ms: number | null): number | null => ms === null ? null : ms / 1000;
  // As Python's command has it.
  const fields = {
    version, ok, steps, models,
    entries: entries.map(({ inUse, latencyMs, clockSkewMs, requestId, ...rest }) =>
      ({ ...rest, in_use: inUse, latency_s: seconds(latencyMs), clock_skew_s: seconds(clockSkewMs), request_id: requestId })),
    balance: balance && {
      name: balance.name, unlimited: balance.unlimited, available_usd: balance.availableUSD, used_usd: balance.usedUSD,
      available_units: units(balance.availableUSD), used_units: units(balance.usedUSD),
      expires_at: balance.expiresAt && balance.expiresAt.getTime() / 1000,
    },
  };
  return { fields, text: `${text}\n\naround it${lines(steps)}`, ok, failed };
}
