// What a worker and its primary ask each other, and the answers: plain objects, since they pass between processes.

import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { OverLimit } from '../stream/viewer/connection-limiter.ts';

/** A registry's metrics, as prom-client adds those of several processes up. */
export type Measured = MetricObjectWithValues<MetricValue<string>>[];

export type FromWorker =
  | { ask: 'enter'; id: number; address: string }
  | { ask: 'leave'; address: string }
  | { ask: 'metrics'; id: number }
  /** The worker listens there. */
  | { ask: 'listening'; url: string }
  | { answer: 'measure'; id: number; metrics: Measured };

export type FromPrimary =
  | { ask: 'measure'; id: number }
  | { answer: 'enter'; id: number; refusal: OverLimit | undefined }
  /** `text` is undefined where the totals could not be made. */
  | { answer: 'metrics'; id: number; text: string | undefined };
