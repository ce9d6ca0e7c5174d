/** The log of the command, on standard error. No line holds the key: of a request it has the method, the address without its query, and the status. */
import diagnostics from "node:diagnostics_channel";
import type { ClientRequest, IncomingMessage } from "node:http";
import { write } from "./output.js";

const LEVELS: Record<string, number> = { trace: 5, debug: 10, info: 20, warn: 30, warning: 30, error: 40, off: 100 };

const address = (request: ClientRequest): string => `${request.method} ${request.protocol}//${request.host}${request.path.split("?", 1)[0]}`;

/** Logs what `-v`, or the variable, asks for: `info` what the command does, `debug` every request, too. */
export function startLog(verbose: number): (text: string) => void {
  const word = process.env["JUNFEIAI_LOG"] || (verbose === 0 ? "off" : verbose === 1 ? "info" : "debug");
  const level = LEVELS[word.toLowerCase()] ?? 20;
  if (level <= 10) {
    const sent = (event: unknown): void => { write(`DEBUG junfeiai ${address((event as { request: ClientRequest }).request)}\n`, 2); };
    const answered = (event: unknown): void => {
      const { request, response } = event as { request: ClientRequest; response: IncomingMessage };
      write(`DEBUG junfeiai ${address(request)}: ${response.statusCode}\n`, 2);
    };
    diagnostics.subscribe("http.client.request.start", sent);
    diagnostics.subscribe("http.client.response.finish", answered);
  }
  return (text) => { if (level <= 20) write(`INFO junfeiai ${text}\n`, 2); };
}
