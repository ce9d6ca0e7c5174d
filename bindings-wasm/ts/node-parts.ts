/** What Node's module has besides a page's: its transport, files, the journal, durable waits, readers. */
import { RawClient } from "#glue";
import { handleOf, setSdkName } from "./client.js";
import { setDurableWaits } from "./durable.js";
import { call, stopped, tryNow } from "./engine.js";
import { abandonAll } from "./file-journal.js";
import { setMaker } from "./handle.js";
import { __options } from "./inner.js";
import { setJournalCalls } from "./journal.js";
import { durable } from "./node-durable.js";
import { journal, journalOf } from "./node-journal.js";
import { logOf } from "./node-log.js";
import { openReader, readerOf } from "./node-reader.js";
import { listenToSignals } from "./node-signals.js";
import { dropAll, hostOf, makeClient } from "./node-transport.js";
import { setOpenReader } from "./reader.js";
import { setSaver } from "./saver.js";
import { fileSaver } from "./node-save.js";
import { Task } from "./task.js";

export function setUp(): void {
  // What `util.inspect` and `console.log` show.
  Object.defineProperty(Task.prototype, Symbol.for("nodejs.util.inspect.custom"), {
    configurable: true, writable: true,
    value(this: Task) { return `Task { id: '${this.id}', status: '${this.status}', progress: ${String(this.progress)} }`; },
  });
  __options.rangeOf = (header, length) => {
    tryNow();
    return [...call(() => RawClient.rangeOf(header, length))] as [number, number, number];
  };
  __options.fileNameOf = (client, taskId) => call(() => {
    const video = handleOf(client).raw().video(taskId, undefined);
    try { return video.fileName(); } finally { video.free(); }
  });
  __options.readerOf = readerOf;
  setSdkName("node");
  listenToSignals();
  setSaver(fileSaver);
  setOpenReader(openReader);
  setDurableWaits(durable);
  setJournalCalls(() => journal);
  stopped.add(abandonAll);
  stopped.add(dropAll);
  setMaker((shaped) => {
    // Connections outlive a restart of the module.
    const [host, log] = [hostOf(shaped), logOf(shaped)];
    const { journal } = shaped.options;
    const store = journalOf(journal);
    return () => {
      const client = makeClient(shaped, host, store?.());
      if (log) call(() => { client.logTo(log as never); });
      return client;
    };
  });
}
