// A program of somebody who uses the library.
import { JunFeiAIError } from "junfeiai";

/** Makes a video and says what came of it. */
export async function film(client, prompt, path) {
  try {
    return `${(await (await client.videos.generate({ prompt, seconds: 6 })).save(path)).bytes} bytes`;
  } catch (error) {
    if (!(error instanceof JunFeiAIError)) throw error;
    return error.code;
  }
}
