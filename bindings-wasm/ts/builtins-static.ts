/** Node's own modules for bundlers: an ES module has no `require`. */
import * as asyncHooksModule from "node:async_hooks";
import * as cryptoModule from "node:crypto";
import * as fsModule from "node:fs";
import * as httpModule from "node:http";
import * as httpsModule from "node:https";
import * as tlsModule from "node:tls";

export const asyncHooks = (): typeof asyncHooksModule => asyncHooksModule;
export const http = (): typeof httpModule => httpModule;
export const https = (): typeof httpsModule => httpsModule;
export const tls = (): typeof tlsModule => tlsModule;
export const crypto = (): typeof cryptoModule => cryptoModule;
export const fs = (): typeof fsModule => fsModule;
