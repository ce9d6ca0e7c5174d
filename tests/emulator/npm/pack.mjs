// Packs the npm package and the one with the program for a platform. With --platform, for a release: the package names those of all
// platforms.
//
//     pack.mjs --program target/release/junfeiai-emulator [--platform linux-x64] [--out target/testkit]
//
// Prints the paths of the tarballs. tests/emulator/package.sh builds the program first.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { PLATFORMS } from "./index.mjs";
import { written } from "./names.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../../..");
const USAGE = "usage: pack.mjs --program target/release/junfeiai-emulator [--platform linux-x64] [--out target/testkit]";
const values = options();
const out = resolve(values.out ?? join(root, "target/testkit"));
const platform = values.platform ?? `${process.platform}-${process.arch}`;
const version = /^version = "(.*)"$/m.exec(readFileSync(join(root, "Cargo.toml"), "utf8"))[1];
// The tools are those of the JavaScript binding.
const tools = join(root, "bindings-wasm/node_modules");
const esbuild = createRequire(join(tools, "x.js"))("esbuild");
const run = (command, args, options = {}) => execFileSync(command, args, { stdio: ["ignore", "inherit", "inherit"], ...options });

/** What the command line says; what cannot be done with it ends the program. */
function options() {
  try {
    const { values } = parseArgs({
      options: { program: { type: "string" }, platform: { type: "string" }, out: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit();
    }
    if (!values.program) throw new Error("say where the emulator's program is: --program");
    if (!existsSync(values.program)) throw new Error(`--program: there is no ${values.program}`);
    const { platform } = values;
    // Without one it is packed for this machine, whatever that is.
    if (platform !== undefined && !PLATFORMS.includes(platform)) throw new Error(`--platform: ${platform} is none of ${PLATFORMS.join(", ")}`);
    return values;
  } catch (error) {
    console.error(`pack.mjs: ${error.message}\n${USAGE}`);
    process.exit(2);
  }
}

function pack(folder, manifest) {
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const file of ["LICENSE-APACHE", "LICENSE-MIT"]) cpSync(join(root, file), join(folder, file));
  const said = execFileSync("npm", ["pack", "--silent", "--pack-destination", out], { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  console.log(relative(process.cwd(), join(out, said.trim().split("\n").at(-1))));
}

function fresh(name) {
  const folder = join(out, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** The JavaScript for import and require, with types for both. */
function main() {
  const folder = fresh("package");
  const { private: _, ...manifest } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
  for (const file of ["index.mjs", "bin.mjs"]) cpSync(join(here, file), join(folder, file));
  writeFileSync(join(folder, "names.mjs"), written());
  for (const file of ["README.md", "README.zh-CN.md"]) cpSync(join(here, "..", file), join(folder, file));
  esbuild.buildSync({
    entryPoints: [join(folder, "index.mjs")], outfile: join(folder, "index.cjs"), bundle: true, platform: "node", format: "cjs", target: "node20", keepNames: true,
    define: { "import.meta.url": "undefined" }, logLevel: "warning",
  });
  const types = fresh("types");
  // Of what is packed, whose names have types.
  const config = join(folder, "tsconfig.json");
  writeFileSync(config, JSON.stringify({ extends: join(here, "tsconfig.json"), files: ["index.mjs", "bin.mjs"] }));
  run(process.execPath, [join(tools, "typescript/bin/tsc"), "-p", config, "--outDir", types]);
  rmSync(config);
  for (const file of readdirSync(types).filter((name) => name !== "bin.d.mts")) {
    const text = readFileSync(join(types, file), "utf8");
    writeFileSync(join(folder, file), text);
    writeFileSync(join(folder, file.replace(".d.mts", ".d.cts")), text.replaceAll(/(from "\.[^"]*)\.mjs"/g, '$1.cjs"'));
  }
  // Installed from files, the package asks for the program that is made beside it and for no other: no registry has those names yet,
  // and whoever takes them would be installed from there.
  const listed = values.platform ? PLATFORMS : [platform];
  pack(folder, { ...manifest, version, optionalDependencies: Object.fromEntries(listed.map((name) => [`@junfeiai/emulator-${name}`, version])) });
}

/** The program of one platform. */
function binary(program) {
  const [os, cpu] = platform.split("-");
  const folder = fresh(`package-${platform}`);
  const name = `junfeiai-emulator${os === "win32" ? ".exe" : ""}`;
  mkdirSync(join(folder, "bin"));
  cpSync(program, join(folder, "bin", name));
  chmodSync(join(folder, "bin", name), 0o755);
  cpSync(join(here, "../THIRD-PARTY-LICENSES.txt"), join(folder, "THIRD-PARTY-LICENSES.txt"));
  writeFileSync(join(folder, "README.md"), `# @junfeiai/emulator-${platform}\n\nThe program of the package junfeiai-emulator for ${platform}. Install that one.\n`);
  pack(folder, {
    name: `@junfeiai/emulator-${platform}`, version, description: `The program of junfeiai-emulator for ${platform}`, license: "Apache-2.0 OR MIT",
    homepage: "https://junfeiai.com", os: [os], cpu: [cpu], preferUnplugged: true, files: ["bin", "LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY-LICENSES.txt"],
  });
}

mkdirSync(out, { recursive: true });
binary(resolve(values.program));
main();
