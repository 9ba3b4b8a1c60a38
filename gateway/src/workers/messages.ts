// What a worker asks its primary, and the answers: plain objects, since they pass between processes.

import type { OverLimit } from '../stream/admission.ts';

export type Question =
  | { ask: 'enter'; id: number; address: string }
  | { ask: 'leave'; address: string }
  | { ask: 'metrics'; id: number }
  /** The worker listens there. */
  | { ask: 'listening'; url: string };

export type Answer =
  | { answer: 'enter'; id: number; refusal: OverLimit | undefined }
  | { answer: 'metrics'; id: number; text: string };
