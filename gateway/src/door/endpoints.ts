// The endpoints of the door: what clients of the OpenAI protocol call, and how their answers are read.

import { DIALECTS, type Dialect } from './dialects.ts';

export interface Endpoint {
  method: 'GET' | 'POST';
  /** What follows the base URL of a service. */
  path: string;
  /** Absent where no model answers. */
  dialect?: Dialect;
}

export const ENDPOINTS: readonly Endpoint[] = [
  { method: 'POST', path: '/chat/completions', dialect: DIALECTS.chat },
  { method: 'POST', path: '/completions', dialect: DIALECTS.completion },
  { method: 'POST', path: '/responses', dialect: DIALECTS.responses },
  { method: 'POST', path: '/embeddings', dialect: DIALECTS.embeddings },
  { method: 'GET', path: '/models' },
];
