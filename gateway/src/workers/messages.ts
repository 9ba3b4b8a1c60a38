// The messages between a worker and its primary. They are plain objects, because they pass between processes.

import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { OverLimit } from '../stream/viewer/connection-limiter.ts';

/** The metrics of a registry, in the form in which prom-client adds up those of several processes. */
export type Measured = MetricObjectWithValues<MetricValue<string>>[];

export type FromWorker =
  | { ask: 'enter'; id: number; address: string }
  | { ask: 'leave'; address: string }
  | { ask: 'metrics'; id: number }
  /** The worker has begun to listen. */
  | { ask: 'listening'; url: string }
  | { answer: 'measure'; id: number; metrics: Measured };

export type FromPrimary =
  | { ask: 'measure'; id: number }
  | { answer: 'enter'; id: number; refusal: OverLimit | undefined }
  /** `text` is undefined if the totals could not be made. */
  | { answer: 'metrics'; id: number; text: string | undefined };
