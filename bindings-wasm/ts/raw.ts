/** Plain data as it comes out of the module. */

export interface RawRecord {
  kind: string;
  phase: string;
  message: string;
  text?: string;
  number?: number;
  field?: string | null;
  status?: number | null;
  code?: string | null;
  server_message?: string | null;
  request_id?: string | null;
  task_id?: string | null;
  last_status?: string | null;
  retry_after_s?: number | null;
  attempts?: number;
  maybe_executed?: boolean;
  transient?: boolean;
  cause?: string[];
}

export interface RawSnapshot {
  task_id: string;
  status: TaskStatus;
  raw_status: string;
  progress: number | null;
  video_url: string | null;
  fail_reason: string | null;
  model: string | null;
  billed_seconds: number | null;
  charged_units: number | null;
  created_at: number | null;
  started_at: number | null;
  finished_at: number | null;
}

/** The five states of a task. */
export type TaskStatus = "queued" | "in_progress" | "succeeded" | "failed" | "unknown";
