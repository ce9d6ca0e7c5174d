// Real database servers on free loopback ports, their data in a folder of the test's.
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { delimiter, join } from "node:path";

export const PASSWORD = "pa:ss/w@rd-7391";

/** A program of this name; `undefined` when it is not installed. */
function program(...names) {
  const versions = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql").sort().reverse() : [];
  const folders = [...process.env.PATH.split(delimiter), ...versions.map((version) => `/usr/lib/postgresql/${version}/bin`)];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

/** Why a server cannot be started here; `false` when it can. */
export const missing = {
  postgres: program("initdb") && program("postgres") ? false : "postgresql is not installed",
  redis: program("redis-server", "valkey-server") ? false : "redis-server is not installed",
};

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** PostgreSQL refuses to run as root: then its own user does. */
const asOther = (command) => (process.getuid() === 0
  ? ["setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", ...command]]
  : [command[0], command.slice(1)]);

/** Waits until the server says that it is there. */
async function started(child, name) {
  let text = "";
  await new Promise((resolve, reject) => {
    const read = (data) => { text += data; if (/ready to accept connections/i.test(text)) resolve(); };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("exit", () => reject(new Error(`${name} ended: ${text}`)));
    child.on("error", reject);
  });
}

export async function startPostgres(folder) {
  const [data, secret] = [join(folder, "postgres"), join(folder, "password")];
  mkdirSync(data);
  chmodSync(folder, 0o777);
  chmodSync(data, 0o777);
  writeFileSync(secret, PASSWORD);
  const place = join(data, "data");
  execFileSync(...asOther([program("initdb"), "--auth=scram-sha-256", "--username=owner", "--encoding=UTF8", "--locale=C", "--no-sync", "-D", place, `--pwfile=${secret}`]));
  const port = await freePort();
  const child = spawn(...asOther([program("postgres"), "-D", place, "-p", String(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]));
  await started(child, "postgres");
  // SIGQUIT ends it with its children at once.
  return { port, stop: () => new Promise((resolve) => { child.once("exit", resolve); child.kill("SIGQUIT"); }) };
}

export async function startRedis(folder) {
  const port = await freePort();
  const child = spawn(program("redis-server", "valkey-server"), [
    "--bind", "127.0.0.1", "--port", String(port), "--dir", folder, "--requirepass", PASSWORD, "--appendonly", "yes", "--appendfsync", "always",
  ]);
  await started(child, "redis");
  return { port, stop: () => new Promise((resolve) => { child.once("exit", resolve); child.kill("SIGKILL"); }) };
}

/** A way to a server that can lose an answer: the next request that holds `mark` is carried out, and its connection cut. */
export async function losing(port) {
  const proxy = { cuts: 0, mark: undefined };
  const server = createServer((client) => {
    const upstream = createConnection(port, "127.0.0.1");
    let lost = false;
    const cut = () => { client.destroy(); upstream.destroy(); };
    client.on("data", (data) => {
      if (proxy.mark && data.includes(proxy.mark)) {
        proxy.mark = undefined;
        proxy.cuts += 1;
        lost = true;
      }
      upstream.write(data);
    });
    upstream.on("data", (data) => { if (lost) cut(); else client.write(data); });
    for (const socket of [client, upstream]) socket.on("error", cut).on("close", cut);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  proxy.port = server.address().port;
  proxy.stop = () => server.close();
  return proxy;
}
