/** What Windows makes of a file name: the rules of `core/src/text/windows_names.rs`, by which files are judged natively. */
import { win32 } from "node:path";

/** The longest of what is put behind a video's name for the files beside it. */
const LONGEST = ".part.state";
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])$/i;

function faultOf(name: string): string | undefined {
  if (/[<>:"|?*]/.test(name)) return "it holds one of < > : \" | ? *";
  if ([...name].some((letter) => letter < " ")) return "it holds a control character";
  if (DEVICE.test(/^[^.]*?(?= *(?:\.|$))/.exec(name)?.[0] ?? "")) return "it is the name of a device";
  if (name.length > 255) return "it is too long";
  return /[. ]$/.test(name) && name !== "." && name !== ".." ? "it ends with a dot or a space" : undefined;
}

/** Why a path cannot be a file there; nothing where it can. One that begins with `\\?\` is taken as it is, by Windows too. */
export function windowsFault(path: string, platform: string = process.platform): string | undefined {
  if (platform !== "win32" || path.startsWith("\\\\?\\")) return undefined;
  const names = path.slice(win32.parse(path).root.length).split(/[\\/]/);
  for (const name of [...names, `${names.at(-1)}${LONGEST}`]) {
    const fault = faultOf(name);
    if (fault !== undefined) return `${path} cannot be a file on Windows: "${name}": ${fault}`;
  }
  return undefined;
}
