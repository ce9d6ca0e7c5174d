// Hostile values in the options of every method, on Node's own transport: refused by name before anything is sent, or of no harm. The
// lists come from the methods themselves, so that a new option cannot be forgotten.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { Client, Task, Video, Videos } from "junfeiai";
import { HOSTILE, NOW, isMeant, judge, methodsOf, namesOf, optionsOf, stage, trap } from "./hostile.mjs";

const { __options } = createRequire(import.meta.url)("junfeiai");
/** Every method with options, by its class. */
const METHODS = { ...Object.fromEntries(Object.entries({ Client, Videos, Task, Video }).map(([type, { prototype }]) => [type, methodsOf(prototype)])), VideoReader: ["read", "stream"] };

let stand;
before(async () => { stand = await stage(); });
after(() => stand.end());

describe("hostile values", () => {
  test("every method with options is here, with every option of the table", async () => {
    assert.deepEqual(methodsOf(Object.getPrototypeOf(stand.reader)), METHODS.VideoReader);
    for (const [type, names] of Object.entries(METHODS)) assert.deepEqual(Object.keys(stand.calls[type]).sort(), [...names].sort(), type);
    const sorted = async (call) => (await namesOf(call)).sort();
    assert.deepEqual([...__options.CLIENT].sort(), optionsOf("client").sort());
    assert.deepEqual(await sorted(stand.calls.Video.save), optionsOf("save").sort());
    assert.deepEqual(await sorted(stand.calls.Videos.checkSave), optionsOf("save").sort());
    assert.deepEqual(await sorted(stand.calls.Task.wait), optionsOf("wait").sort());
  });

  for (const [type, names] of Object.entries(METHODS)) {
    for (const name of names) {
      test(`in every option of ${type}.${name}, and in place of them`, async () => {
        const call = stand.calls[type][name];
        const now = { now: NOW.includes(name) };
        for (const option of await namesOf(call)) {
          for (const [kind, value] of Object.entries(HOSTILE)) {
            stand.sent.length = 0;
            const error = await judge(`${name} ${option}: ${kind}`, option, () => call({ [option]: value() }), { ...now, isOurs: isMeant(option, kind) });
            if (error && !isMeant(option, kind)(error)) assert.deepEqual(stand.sent, [], `${name} ${option}: ${kind} sent something`);
          }
          await judge(`${name} ${option}: a getter`, option, () => call(Object.defineProperty({}, option, { enumerable: true, get: trap })), now);
        }
        for (const [kind, value] of Object.entries(HOSTILE)) {
          stand.sent.length = 0;
          if (await judge(`${name} options: ${kind}`, "option", () => call(value()), now)) assert.deepEqual(stand.sent, [], `${name} options: ${kind} sent something`);
        }
        await stand.well();
      });
    }
  }

  test("what checkSave lets pass, save does not refuse", async () => {
    for (const [kind, value] of Object.entries(HOSTILE)) {
      for (const option of await namesOf(stand.calls.Video.save)) {
        if (/^on[A-Z]/.test(option) || option === "timeoutMs") continue;
        const [before_, later] = [await judge(kind, option, () => stand.calls.Videos.checkSave({ [option]: value() })), await judge(kind, option, () => stand.calls.Video.save({ [option]: value() }))];
        assert.equal(before_?.code, later?.code, `${option}: ${kind}`);
      }
    }
  });
});
