/**
 * The client for browsers, workers, Node and bundlers: creates videos, waits for them, saves or plays them.
 *
 * @module junfeiai
 */
export {
  Client, Videos, ready, type Advanced, type Balance, type CallOptions, type CheckReport, type CheckStep, type CreateOptions, type Ended, type EndpointCheck, type ManyOptions,
} from "./client.js";
export type { WaitState } from "./durable.js";
export type { Estimate, KeyRecord, Pending, ReconcileOptions, Reconciliation, Resumed, ResumedVideo, Settled, Spending } from "./journal.js";
export { JunFeiAIError, type ErrorCode } from "./errors.js";
export type { ClientOptions, ImageInput, VideoRequest } from "./options.js";
export type { ReadStreamOptions, VideoReader } from "./node-reader.js";
export type { PlaybackMode } from "./playback-of.js";
export type { TaskStatus } from "./raw.js";
export type { SaveOptions, Summary } from "./saver.js";
export { Task, type RequestOptions, type WaitOptions, type Warning } from "./task.js";
export type { JournalFile, JournalStore, LogEntry, Progress, StoreRow } from "./values.js";
export { Video, type ReadOptions } from "./video.js";
/** @internal */
export { __options, __panicForTests, playbackOf } from "./inner.js";
