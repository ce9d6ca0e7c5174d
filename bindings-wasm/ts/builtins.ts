/** Node's own modules, loaded with the first request: a program that only imports the package does not pay for TLS. */
export const asyncHooks = (): typeof import("node:async_hooks") => require("node:async_hooks") as typeof import("node:async_hooks");
export const http = (): typeof import("node:http") => require("node:http") as typeof import("node:http");
export const https = (): typeof import("node:https") => require("node:https") as typeof import("node:https");
export const tls = (): typeof import("node:tls") => require("node:tls") as typeof import("node:tls");
export const crypto = (): typeof import("node:crypto") => require("node:crypto") as typeof import("node:crypto");
export const fs = (): typeof import("node:fs") => require("node:fs") as typeof import("node:fs");
