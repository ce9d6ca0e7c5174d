/**
 * Folders with those above them. Node's own way (`recursive`) tries without an end where the system makes no folder in one that is
 * there: in `/proc`, or in a working folder that was removed.
 */
import { mkdirSync, promises as fs, statSync } from "node:fs";
import { dirname } from "node:path";

const MODE = 0o777;

/** Whether the one above is to be made first. */
const isMissing = (error: unknown, folder: string, isThere: boolean): boolean =>
  (error as { code?: unknown }).code === "ENOENT" && !isThere && dirname(folder) !== folder;

const isFolder = (path: string): Promise<boolean> => fs.stat(path).then((found) => found.isDirectory(), () => false);

/** Makes a folder, unless it is there. Gives the first one that was made. */
export async function makeFolders(folder: string, mode = MODE): Promise<string | undefined> {
  try {
    await fs.mkdir(folder, mode);
    return folder;
  } catch (error) {
    if (await isFolder(folder)) return undefined;
    if (!isMissing(error, folder, await isFolder(dirname(folder)))) throw error;
  }
  const first = await makeFolders(dirname(folder), mode);
  try {
    await fs.mkdir(folder, mode);
  } catch (error) {
    // Another process was faster.
    if (!(await isFolder(folder))) throw error;
  }
  return first ?? folder;
}

const isFolderNow = (path: string): boolean => {
  try { return statSync(path).isDirectory(); } catch { return false; }
};

/** The same at once. */
export function makeFoldersNow(folder: string): void {
  try {
    mkdirSync(folder);
    return;
  } catch (error) {
    if (isFolderNow(folder)) return;
    if (!isMissing(error, folder, isFolderNow(dirname(folder)))) throw error;
  }
  makeFoldersNow(dirname(folder));
  makeFoldersNow(folder);
}
