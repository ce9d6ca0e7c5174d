// make npm: core → wasm → glue → bundles → declarations → target/npm/junfeiai-VERSION.tgz
//
// Nothing is done when nothing has changed: suites that run beside each other may all ask for the package. Every step is done
// again only when something it reads is newer than what it made.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { brotliCompressSync, gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const USAGE = "usage: node bindings-wasm/scripts/build.mjs (make npm); it takes no arguments, and writes target/npm/junfeiai-VERSION.tgz";
try {
  if (parseArgs({ options: { help: { type: "boolean", short: "h" } } }).values.help) {
    console.log(USAGE);
    process.exit();
  }
} catch (error) {
  console.error(`npm: ${error.message}\n${USAGE}`);
  process.exit(2);
}

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const root = dirname(here);
const npm = join(root, "target/npm");
/**
 * What of the page's module is loaded with the first call that needs it: exports, with all that only they need. Each part needs those
 * in front of it.
 */
const PARTS = {
  read: ["rawvideo_bytes", "rawvideo_readRange", "rawvideo_stream", "__wbg_rawstream_free", "rawstream_next", "rawstream_cancel"],
  more: [
    "rawclient_check", "rawclient_models", "rawclient_balance", "rawclient_asCompleted", "rawclient_generateMany", "__wbg_rawmany_free",
    "rawmany_next", "rawmany_cancel", "rawtask_watch", "__wbg_rawwatch_free", "rawwatch_next", "rawwatch_cancel", "rawvideo_serve",
    "__wbg_rawserved_free", "__wbg_get_rawserved_status", "rawserved_headers", "rawserved_body", "panicForTests",
  ],
};
/** What of it the playback worker has no use for, which carries its wasm file. */
const NOT_PLAYED = [
  ...["create", "generate", "task", "check", "models", "balance", "asCompleted", "generateMany"].map((name) => `rawclient_${name}`),
  ...["seen", "raw", "refresh", "wait", "watch", "video"].map((name) => `rawtask_${name}`),
  ...["new", "maybeExecuted", "taskIds"].map((name) => `rawtracker_${name}`),
  ...["task", "watch", "tracker", "many"].map((name) => `__wbg_raw${name}_free`),
  "rawmany_next", "rawmany_cancel", "rawwatch_next", "rawwatch_cancel", "rawvideo_bytes", "rawvideo_readRange", "imageOf", "panicForTests",
];
/** The files of a page's module, as the generator calls them, and as they are called in the package. */
const FILES = {
  "junfeiai_bg.wasm": "junfeiai.wasm", "first_bg.wasm": "junfeiai-page.wasm", "read_bg.wasm": "junfeiai-page-read.wasm",
  "more_bg.wasm": "junfeiai-page-more.wasm",
};
/**
 * The module three times: with saving and durable waits, for Node, without, for what a page loads, and for a page whose client keeps a
 * journal. The types are Node's. `of`: made of what was compiled for another one.
 */
const BUILDS = {
  node: { glue: join(npm, "glue"), features: ["--features", "node"], parts: {}, files: { "junfeiai_bg.wasm": "junfeiai.wasm" } },
  page: { glue: join(npm, "glue-page"), features: ["--features", "quiet"], parts: PARTS, files: FILES },
  journal: { glue: join(npm, "glue-journal"), features: ["--features", "journal,quiet"], parts: {}, files: { "junfeiai_bg.wasm": "junfeiai.wasm" } },
  player: { glue: join(npm, "glue-player"), of: "page", parts: { rest: NOT_PLAYED }, files: { "first_bg.wasm": "junfeiai.wasm" } },
};
const out = join(npm, "package");
const dist = join(out, "dist");
const TARGET = "wasm32-unknown-unknown";

function run(program, args, options = {}) {
  execFileSync(program, args, { stdio: ["ignore", "inherit", "inherit"], cwd: root, ...options });
}

function output(program, args) {
  try { return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }); } catch { return ""; }
}

// With the library's source at hand a panic can be a bare trap: neither its text nor what formats it is in the module. A
// twelfth of the size. Functions that are alike are joined by wasm-opt within each part; joined before, they would all be in the first.
const SMALL = ["-Zunstable-options", "-Cpanic=immediate-abort", "-Zlocation-detail=none", "-Zmerge-functions=disabled"];

/** Carries a build's module out of the way of the next one's. */
function settle(name, compiled) {
  const place = join(npm, `${name}.compiled.wasm`);
  if (!existsSync(place) || !readFileSync(place).equals(readFileSync(compiled))) cpSync(compiled, place);
  return place;
}

/** Plain cargo where rustup has the target's library; else Debian's compiler, which brings the library's source. */
function compile(name) {
  const { features, parts } = BUILDS[name];
  // One folder for all, which share the standard library and most crates. What is compiled is carried away at once: each writes the
  // same file.
  const target = join(root, "target/wasm");
  const args = ["rustc", "--locked", "--profile", "wasm-release", "-p", "junfeiai-wasm", ...features, "--target", TARGET];
  // What needs what is known by the relocations.
  if (Object.keys(parts).length > 0) args.push("--", "-Clink-arg=--emit-relocs");
  // The paths of this machine stay out of it.
  const home = process.env.CARGO_HOME ?? join(homedir(), ".cargo");
  // Below `src` is a folder with the registry's name, where anything was fetched before.
  const sources = join(home, "registry/src");
  const registries = existsSync(sources) ? readdirSync(sources).map((name) => join(sources, name)) : [];
  const flags = [process.env.RUSTFLAGS, `--remap-path-prefix=${root}=junfeiai`, ...[sources, ...registries].map((path) => `--remap-path-prefix=${path}=crates`)];
  const env = { ...process.env, CARGO_TARGET_DIR: target, RUSTFLAGS: flags.filter(Boolean).join(" ") };
  const hasTarget = output("rustup", ["target", "list", "--installed"]).split("\n").includes(TARGET);
  if (hasTarget) {
    run("cargo", args, { env });
  } else {
    const linker = ["wasm-ld", "wasm-ld-19", "rust-lld"].find((name) => output("which", [name]));
    flags.push(...SMALL);
    Object.assign(env, {
      RUSTFLAGS: flags.filter(Boolean).join(" "),
      RUSTC_BOOTSTRAP: "1", RUSTC: "/usr/bin/rustc", CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: linker ?? "wasm-ld-19",
    });
    run("/usr/bin/cargo", [args[0], "-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size", ...args.slice(1)], { env });
  }
  return { small: !hasTarget, compiled: join(target, TARGET, "wasm-release/junfeiai_wasm.wasm") };
}

/** What `junfeiai --version` says of the build. No date: the same source and compiler give the same bytes. The commit is known where
 * the build is told it. */
function facts() {
  const hasTarget = output("rustup", ["target", "list", "--installed"]).split("\n").includes(TARGET);
  const commit = process.env.JUNFEIAI_COMMIT ?? "";
  return {
    target: TARGET, compiler: output(hasTarget ? "rustc" : "/usr/bin/rustc", ["--version"]).trim() || "unknown",
    ...(/^[0-9a-f]{7,64}$/i.test(commit) && { commit }),
  };
}

function newest(paths) {
  return Math.max(...paths.flatMap((path) => (statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs)
    : [statSync(path).mtimeMs])));
}

function bind(compiled, { glue, parts, files }) {
  const made = join(glue, "junfeiai.wasm");
  if (existsSync(made) && newest([made]) > newest([compiled, join(here, "build/src"), fileURLToPath(import.meta.url)])) return;
  rmSync(glue, { recursive: true, force: true });
  run("cargo", ["run", "-q", "--locked", "-p", "xtask-wasm", "--", compiled, glue, ...Object.entries(parts).map(([name, exports]) => `${name}=${exports}`)], {
    env: { ...process.env, CARGO_TARGET_DIR: join(root, "target/wasm-tools") },
  });
  const names = JSON.parse(readFileSync(join(glue, "names.json"), "utf8"));
  const text = shorten(readFileSync(join(glue, "junfeiai.js"), "utf8") + JOINED, names);
  const build = createHash("sha256").update(readFileSync(compiled)).update(text).digest("hex").slice(0, 8);
  writeFileSync(join(glue, "junfeiai.js"), text.replace("BUILD", () => build));
  writeFileSync(join(glue, "junfeiai.d.ts"), `${readFileSync(join(glue, "junfeiai.d.ts"), "utf8")}
    export function __wbg_has(part: string): boolean;
    export function __wbg_more(source: unknown): Promise<void>;\n`);
  // The whole module comes last: it says that all of it is made.
  for (const [from, to] of Object.entries(files).reverse()) {
    const done = join(glue, to);
    run(join(here, "node_modules/.bin/wasm-opt"), [
      join(glue, from), "-o", `${done}.part`, "-Oz", "--converge", "--strip-debug", "--strip-producers", "--strip-target-features",
    ]);
    appendFileSync(`${done}.part`, section("build", build));
    renameSync(`${done}.part`, done);
  }
}

/** A custom section of a wasm file. */
function section(name, text) {
  const content = Buffer.concat([Buffer.of(name.length), Buffer.from(name + text)]);
  return Buffer.concat([Buffer.of(0, content.length), content]);
}

/** What the glue needs for a module in parts. Each imports functions, memory and table of those in front of it from `b`. */
const JOINED = `
const __wbg_parts = [];
function __wbg_known() {
  return { ...__wbg_get_imports(), b: wasm };
}
function __wbg_join(instance) {
  wasm = { ...wasm, ...instance.exports };
}
// The short names of another build mean other functions: it could be linked, and would do anything.
function __wbg_check(module) {
  for (const build of WebAssembly.Module.customSections(module, "build")) {
    if (new TextDecoder().decode(build) !== "BUILD") throw new WebAssembly.LinkError("another build");
  }
}
// Of a module that was never loaded nothing is missing.
export function __wbg_has(part) {
  return !wasm || (part === "read" ? wasm.rawstream_next : wasm.rawvideo_serve) !== undefined;
}
export async function __wbg_more(source) {
  const first = wasmInstance;
  const { instance, module } = await __wbg_load(await source, __wbg_known());
  __wbg_parts.push(module);
  // The module may have been started over meanwhile.
  __wbg_join(first === wasmInstance ? instance : new WebAssembly.Instance(module, __wbg_known()));
}
`;

/** The glue with the short names that what is imported and exported was given. */
function shorten(text, { imports, exports }) {
  const given = new Map(imports.map(([, long, short]) => [long, short]));
  const taken = new Map(exports);
  const rename = (names, long) => {
    const short = names.get(long);
    if (short === undefined) throw new Error(`the glue has changed: ${long} is neither imported nor exported`);
    return short;
  };
  let count = 0;
  const short = text
    .replaceAll(`"${imports[0][0]}"`, () => '"a"')
    .replaceAll(/^( +)(__wb\w+)(?=: function\()/gm, (_, space, long) => { count += 1; return space + rename(given, long); })
    .replaceAll(/\bwasm\.(\w+)/g, (_, long) => `wasm.${rename(taken, long)}`);
  if (count !== imports.length) throw new Error(`the glue has changed: it gives ${count} functions, the module takes ${imports.length}`);
  return short;
}

/** Changes what of the glue would end a Node process after a panic, and shortens what stands in it for each method. */
function soften(glue) {
  const changes = [
    // What stands in each class of the glue, once for all of them.
    [/if \((\w+)\.__wbg_inst !== undefined && \1\.__wbg_inst !== __wbg_instance_id\) \{\s*throw new Error\('[^']*'\);\s*\}/g, "live($1);"],
    [/(obj|this)\.__wbg_ptr = (.*);\s*Object\.defineProperty\(\1, '__wbg_inst'.*\s*(\w+)\.register\(\1, .*\s*return \1;/g, "return wrapped($1, $2, $3);"],
    [/__destroy_into_raw\(\) \{\s*const ptr = this\.__wbg_ptr;\s*this\.__wbg_ptr = 0;\s*(\w+)\.unregister\(this\);\s*return ptr;\s*\}\s*free\(\) \{\s*const ptr = this\.__destroy_into_raw\(\);/g,
      "free() {\n const ptr = dropped(this, $1);"],
    // What stood in their place is in every engine that can run this.
    [/\(typeof FinalizationRegistry === 'undefined'\)\s*\? .*\s*: new FinalizationRegistry\(\(\{ ptr, instance \}\) => \{\s*if \(instance === __wbg_instance_id\) (.*);\s*\}\)/g,
      "finalizer((ptr) => $1)"],
    [/if \(!\('encodeInto' in cachedTextEncoder\)\) \{[^]*?\n\}\n/g, ""],
    [/const ret = typeof (global|self|window) === 'undefined' \? undefined : \1;\s*return .*;/g, "return 0;"],
    [/$(?![^])/g, `
      function live({ __wbg_inst }) {
        if (__wbg_inst !== undefined && __wbg_inst !== __wbg_instance_id) throw new Error("a stale object");
      }
      function wrapped(obj, ptr, finalization) {
        obj.__wbg_ptr = ptr;
        obj.__wbg_inst = __wbg_instance_id;
        finalization.register(obj, { ptr, instance: __wbg_instance_id }, obj);
        return obj;
      }
      function dropped(obj, finalization) {
        const ptr = obj.__wbg_ptr;
        obj.__wbg_ptr = 0;
        finalization.unregister(obj);
        return ptr;
      }
      function caught(f) {
        return (...args) => handleError(f, args);
      }
      function finalizer(free) {
        return new FinalizationRegistry(({ ptr, instance }) => { if (instance === __wbg_instance_id) free(ptr); });
      }`],
    [/"`WebAssembly\.instantiateStreaming` failed[^"]*"/g, '"junfeiai: serve the wasm file as application/wasm"'],
    [/^( +\w+): function\(/gm, "$1("],
    [/^( +\w+)\(\) \{ return handleError\(function \(([^)]*)\) \{([^]*?)\}, arguments\); \},/gm, "$1: caught(($2) => {$3}),"],
    // A module that is started over has its parts again.
    [/(wasmInstance = new WebAssembly\.Instance\(wasmModule, __wbg_get_imports\(\)\);\s*wasm = wasmInstance\.exports;)/g,
      "$1 for (const part of __wbg_parts) __wbg_join(new WebAssembly.Instance(part, __wbg_known()));"],
    [/function __wbg_finalize_init\(instance, module\) \{/g, "$& __wbg_check(module);"],
    // They are always called with an object.
    [/if \((module|module_or_path) !== undefined\) \{\s*if \([^]*?deprecated[^]*?\}\s*\}\n/g, "({ $1 } = $1);\n"],
    [/ \$\{module\.statusText\} fetching '\$\{module\.url\}'/g, " ${module.url}"],
    // `engine.ts` loads it once. A response of another origin that hides its headers has no such type either.
    [/__wbg_init as default/g, "__wbg_init_once as default"],
    [/const validResponse = .*\s*if \(validResponse && /g, "if ("],
    [/function expectedResponseType\(type\) \{[^]*?return false;\s*\}/g, ""],
    // No `using` inside of the package.
    [/^if \(Symbol\.dispose\) .*$/gm, ""],
    // A panic inside of a microtask: the engine catches it. That of this copy of the package, of which a program may have several.
    [/\bqueueMicrotask\(/g, "microtask("],
    [/^/g, 'import { microtask } from "#microtask";\n'],
    // A timer from before a restart of the module: nothing waits for it any more.
    [/throw new Error\('Cannot invoke closure from previous WASM instance'\)/g, "return undefined"],
  ];
  return changes.reduce((text, [from, to]) => {
    if (text.search(from) < 0) throw new Error(`the glue has changed: ${from} is not in it`);
    return text.replaceAll(from, to);
  }, glue);
}

/** A module that gives a wasm file, which is in it as text. Node's is large and is packed. */
function inlined(made, file) {
  const bytes = readFileSync(join(made.glue, file));
  if (made !== BUILDS.node) return `export const wasm = () => Uint8Array.from(atob("${bytes.toString("base64")}"), (c) => c.charCodeAt(0));`;
  return `import { brotliDecompressSync } from "node:zlib";
    export const wasm = () => brotliDecompressSync(Buffer.from("${brotliCompressSync(bytes).toString("base64")}", "base64"));`;
}

/** The names in the sources that begin with `#`. */
function names(main, made = BUILDS.page, builtins = "builtins", whole = "junfeiai.wasm") {
  return {
    name: "names",
    setup(build) {
      build.onResolve({ filter: /^#microtask$/ }, () => ({ path: join(here, "ts/microtask.ts") }));
      build.onResolve({ filter: /^#glue$/ }, () => ({ path: join(made.glue, "junfeiai.js") }));
      build.onResolve({ filter: /^#main$/ }, () => ({ path: main, external: true }));
      build.onResolve({ filter: /^#builtins$/ }, () => ({ path: join(here, `ts/${builtins}.ts`) }));
      build.onResolve({ filter: /^#wasm$/ }, () => ({ path: "./junfeiai.wasm", external: true }));
      build.onResolve({ filter: /^#journal$/ }, () => ({ path: "./page-journal.js", external: true }));
      build.onResolve({ filter: /^#inline/ }, ({ path }) => ({ path: path.slice(1), namespace: "inline" }));
      build.onLoad({ filter: /.*/, namespace: "inline" }, ({ path }) => ({
        contents: path === "inline-journal"
          ? inlined(BUILDS.journal, "junfeiai.wasm")
          : inlined(made, path === "inline" ? whole : path.replace("inline", "junfeiai-page").concat(".wasm")),
        resolveDir: here,
      }));
      build.onLoad({ filter: /glue(-page|-player|-journal)?\/junfeiai\.js$/ }, ({ path }) => ({ contents: soften(readFileSync(path, "utf8")) }));
    },
  };
}

/** What is in the page's file already is taken from there: two of a class would not know each other's objects. */
const shared = {
  name: "shared",
  setup(build) {
    build.onResolve({ filter: /^(\.\/(calls|engine|errors|names|video)\.js|#microtask)$/ }, () => ({ path: "shared", namespace: "shared" }));
    build.onResolve({ filter: /^\.\/browser\.js$/ }, ({ path }) => ({ path, external: true }));
    build.onLoad({ filter: /.*/, namespace: "shared" }, () => ({
      contents: `import { __journal } from "./browser.js";
        export const { JunFeiAIError, Video, call, guarded, heard, microtask, own, run, take, textOf, toError, translate } = __journal;`,
    }));
  },
};

async function bundle() {
  const entry = (name) => join(here, `ts/entries/${name}.ts`);
  const common = { bundle: true, target: "es2022", legalComments: "none", logLevel: "warning", minify: true };
  const esm = { ...common, format: "esm", platform: "browser", mangleProps: /^(__wbg_ptr|__wbg_inst|__wrap|shaped)$/ };
  // Node shows the line that an uncaught error comes from: it is one that can be read.
  const ofNode = { ...common, format: "cjs", platform: "node", minify: false };
  await Promise.all([
    esbuild.build({
      ...esm, entryPoints: { browser: entry("browser") }, outdir: dist, splitting: true,
      chunkNames: "chunk-[name]", plugins: [names("./browser.js", BUILDS.page, "builtins", "junfeiai-page.wasm")],
    }),
    esbuild.build({
      ...esm, entryPoints: [join(here, "ts/page-journal.ts")], outfile: join(dist, "page-journal.js"), plugins: [shared, names("./browser.js", BUILDS.journal)],
    }),
    esbuild.build({ ...esm, entryPoints: [entry("slim")], outfile: join(dist, "slim.js"), plugins: [names("./browser.js")] }),
    esbuild.build({ ...esm, entryPoints: [entry("inline")], outfile: join(dist, "inline.js"), plugins: [names("./browser.js")] }),
    esbuild.build({ ...esm, entryPoints: [entry("playback")], outfile: join(dist, "playback.js"), plugins: [names("./browser.js")] }),
    esbuild.build({
      ...esm, format: "iife", entryPoints: [entry("playback-worker")], outfile: join(dist, "playback-worker.js"), plugins: [names("./browser.js", BUILDS.player)],
    }),
    esbuild.build({ ...esm, entryPoints: [entry("server")], outfile: join(dist, "server.web.js"), plugins: [names("./browser.js")] }),
    esbuild.build({
      ...ofNode, entryPoints: [entry("node")], outfile: join(dist, "node.cjs"),
      plugins: [names("./node.cjs", BUILDS.node)], define: { "import.meta.url": "undefined" },
    }),
    esbuild.build({ ...ofNode, entryPoints: [entry("server")], outfile: join(dist, "server.cjs"), plugins: [names("./node.cjs", BUILDS.node)] }),
    // For bundlers, which cannot follow a `createRequire` and move what they make away from the wasm file.
    esbuild.build({
      ...ofNode, format: "esm", entryPoints: [entry("node-module")], outfile: join(dist, "node.module.js"),
      plugins: [names("./node.module.js", BUILDS.node, "builtins-static")], define: { "import.meta.url": "undefined" },
    }),
    esbuild.build({ ...ofNode, format: "esm", entryPoints: [entry("server")], outfile: join(dist, "server.module.js"), plugins: [names("./node.module.js", BUILDS.node)] }),
    esbuild.build({ ...esm, entryPoints: [entry("workerd")], outfile: join(dist, "workerd.js"), plugins: [names("./workerd.js")], inject: [join(here, "ts/workerd-globals.ts")] }),
    esbuild.build({ ...esm, entryPoints: [entry("server")], outfile: join(dist, "server.workerd.js"), plugins: [names("./workerd.js")] }),
    esbuild.build({ ...esm, entryPoints: [entry("testing")], outfile: join(dist, "testing.web.js"), plugins: [names("./browser.js")] }),
    esbuild.build({ ...esm, format: "cjs", entryPoints: [entry("testing")], outfile: join(dist, "testing.web.cjs"), plugins: [names("./browser.cjs")] }),
    esbuild.build({ ...ofNode, entryPoints: [entry("testing")], outfile: join(dist, "testing.cjs"), plugins: [names("./node.cjs", BUILDS.node)] }),
    esbuild.build({ ...ofNode, format: "esm", entryPoints: [entry("testing")], outfile: join(dist, "testing.module.js"), plugins: [names("./node.module.js", BUILDS.node)] }),
    // The command, over the module for Node. What is seldom wanted is in chunks of its own.
    esbuild.build({
      ...ofNode, format: "esm", entryPoints: { cli: entry("cli") }, outdir: dist, splitting: true, chunkNames: "cli-[name]-[hash]", minifySyntax: true,
      plugins: [names("./node.js", BUILDS.node)], define: { BUILD: JSON.stringify(facts()) },
    }),
    // For jest with jsdom and others that require what a page loads.
    esbuild.build({ ...esm, format: "cjs", entryPoints: [entry("inline")], outfile: join(dist, "browser.cjs"), plugins: [names("./browser.cjs")], define: { "import.meta.url": "undefined" } }),
  ]);
  chmodSync(join(dist, "cli.js"), 0o755);
  // What the command has inside of it.
  cpSync(join(here, "node_modules/csv-parse/LICENSE"), join(dist, "LICENSE-csv-parse"));
  for (const file of Object.values(FILES)) cpSync(join(BUILDS.page.glue, file), join(dist, file));
  cpSync(join(BUILDS.node.glue, "junfeiai.wasm"), join(dist, "junfeiai-node.wasm"));
  cpSync(join(BUILDS.journal.glue, "junfeiai.wasm"), join(dist, "junfeiai-page-journal.wasm"));
  // One module for both, so that an error of the one is an error of the other. Required: for an import Node would first look
  // through all of it for names to export, which takes longer than running it.
  const again = (from, list) => `import { createRequire } from "node:module";\nconst all = createRequire(import.meta.url)("${from}");\nexport const { ${list.join(", ")} } = all;\n`;
  writeFileSync(join(dist, "node.js"), again("./node.cjs", ["Client", "JunFeiAIError", "Task", "Video", "Videos", "__options", "playbackOf", "ready"]));
  writeFileSync(join(dist, "server.js"), again("./server.cjs", ["createProxyHandler", "toNodeHandler"]));
  writeFileSync(join(dist, "testing.js"), again("./testing.cjs", ["CONTENT", "InTurn", "error", "fakeClient", "fakeTask", "fakeVideo", "fakeVideos", "inTurn", "ready", "summary"]));
}

/** Declarations, and once more for `require`. */
function declare() {
  const types = join(npm, "types");
  rmSync(types, { recursive: true, force: true });
  run(process.execPath, [join(here, "node_modules/typescript/bin/tsc"), "-p", join(here, "ts/tsconfig.json")]);
  for (const file of readdirSync(types, { recursive: true }).filter((name) => name.endsWith(".d.ts"))) {
    // Nobody imports the command.
    if (/^cli[/\\]|[/\\]cli\.d\.ts$/.test(file)) continue;
    const text = readFileSync(join(types, file), "utf8");
    const up = dirname(file) === "." ? "./" : "../";
    // The types of the module are private.
    const hidden = (_, list) => list.split(",").map((name) => `type ${name.replace(/\btype\b/, "").trim()} = object;`).join("\n");
    const local = text.replaceAll('"#main"', `"${up}index.js"`).replaceAll(/import (?:type )?\{([^}]*)\} from "#glue";/g, hidden);
    for (const [folder, ending, body] of [["types", ".d.ts", local], ["cts", ".d.cts", local.replaceAll(/(from "\.[^"]*)\.js"/g, '$1.cjs"')]]) {
      const path = join(dist, folder, file.replace(/\.d\.ts$/, ending));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, body);
    }
  }
}

function pack() {
  const version = /^version = "(.*)"$/m.exec(readFileSync(join(root, "Cargo.toml"), "utf8"))[1];
  const manifest = { ...JSON.parse(readFileSync(join(here, "npm.json"), "utf8")), version };
  writeFileSync(join(out, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const file of ["README.md", "README.zh-CN.md", "THIRD-PARTY-LICENSES.txt"]) cpSync(join(here, file), join(out, file));
  cpSync(join(here, "examples"), join(out, "examples"), { recursive: true });
  for (const file of ["LICENSE-APACHE", "LICENSE-MIT"]) cpSync(join(root, file), join(out, file));
  run("npm", ["pack", "--silent", "--pack-destination", npm], { cwd: out });
  return join(npm, `junfeiai-${version}.tgz`);
}

/** What a page loads. */
function measure() {
  const rows = ["junfeiai-page.wasm", "browser.js", "junfeiai-page-read.wasm", "junfeiai-page-more.wasm", "junfeiai-page-journal.wasm", "page-journal.js", "junfeiai.wasm", "playback.js", "playback-worker.js", "workerd.js", "slim.js", "inline.js", "junfeiai-node.wasm", "node.cjs"].map((name) => {
    const bytes = readFileSync(join(dist, name));
    return { name, raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotliCompressSync(bytes).length };
  });
  const sum = (files, key) => rows.filter(({ name }) => files.includes(name)).reduce((all, row) => all + row[key], 0);
  const page = ["junfeiai-page.wasm", "browser.js"];
  for (const [name, files] of [["an upload to Cloudflare", ["junfeiai.wasm", "workerd.js"]], ["a page that reads videos", [...page, "junfeiai-page-read.wasm"]], ["a page", page]]) {
    rows.push({ name, raw: sum(files, "raw"), gzip: sum(files, "gzip"), brotli: sum(files, "brotli") });
  }
  writeFileSync(join(npm, "sizes.json"), `${JSON.stringify(rows, null, 2)}\n`);
  for (const { name, raw, gzip, brotli } of rows) {
    console.log(`${name.padEnd(28)}${[raw, gzip, brotli].map((n) => `${(n / 1000).toFixed(1)} KB`.padStart(12)).join("")}`);
  }
  return rows;
}

/** The tests and the demo load the package by its name. */
function link() {
  const place = join(here, "node_modules/junfeiai");
  rmSync(place, { recursive: true, force: true });
  symlinkSync(relative(dirname(place), out), place, "dir");
}

/** All that the package is made of, as one hash. */
function inputs() {
  const hash = createHash("sha256").update(JSON.stringify([
    process.version, process.env.RUSTFLAGS ?? "", process.env.JUNFEIAI_COMMIT ?? "", output("rustc", ["--version"]), output("/usr/bin/rustc", ["--version"]),
  ]));
  const add = (path) => {
    if (!existsSync(path)) return;
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) if (!["node_modules", "test", "demo"].includes(name)) add(join(path, name));
      return;
    }
    hash.update(`${relative(root, path)}\0`).update(readFileSync(path)).update("\0");
  };
  for (const path of ["Cargo.toml", "Cargo.lock", ".cargo", "rust-toolchain.toml", "LICENSE-APACHE", "LICENSE-MIT", "core/Cargo.toml", "core/README.md",
    "core/src", "bindings-wasm", "bindings-wasm/node_modules/.package-lock.json"]) add(join(root, path));
  return hash.digest("hex");
}

const stamp = join(npm, "built-from");
const from = inputs();
const linked = join(here, "node_modules/junfeiai/package.json");
if (existsSync(stamp) && readFileSync(stamp, "utf8") === from && existsSync(linked) && readdirSync(npm).some((name) => name.endsWith(".tgz"))) {
  console.log("target/npm: nothing has changed");
  process.exit(0);
}
mkdirSync(npm, { recursive: true });
rmSync(stamp, { force: true });
let small = false;
const compiled = {};
for (const [name, build] of Object.entries(BUILDS)) {
  if (!build.of) {
    const made = compile(name);
    compiled[name] = settle(name, made.compiled);
    small = made.small;
  }
  bind(compiled[build.of ?? name], build);
}
rmSync(out, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
await bundle();
declare();
const tarball = pack();
link();
console.log(`${"".padEnd(28)}${["raw", "gzip", "brotli"].map((word) => word.padStart(12)).join("")}`);
const sizes = measure();
console.log(relative(process.cwd(), tarball));
// What a page loads to create, to wait and to play from its server, and with what reads a video, and what a worker at Cloudflare
// consists of. This keeps it from growing unseen.
// Without the library's source every panic carries its text, and nothing is to be measured.
for (const [{ name, gzip }, limit] of [[sizes.at(-1), 123_700], [sizes.at(-2), 160_700], [sizes.at(-3), 178_400]]) {
  if (small && gzip > limit) {
    console.error(`${name} has ${gzip} bytes by gzip; the limit is ${limit}`);
    process.exit(1);
  }
}
writeFileSync(stamp, from);
