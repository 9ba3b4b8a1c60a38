// Who calls a tool, as the tool sees him: what his request may do and take, whichever way it came.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import type { Access } from '../auth/access.ts';
import type { RunRecord } from '../runs/store/run-store.ts';

export interface Caller {
  /** As it is now: rights may change while a tool waits. */
  readonly access: Access;
  /** Where he comes from. */
  readonly address: string;
  /** Aborts once nobody waits for the answer. */
  readonly gone: AbortSignal;
  /** The address of the page, ending in `/`. */
  readonly page: string;
  /** Looks again who asks, after a wait. @throws CodedError as the gate does */
  confirmRights(): Promise<void>;
  /** Does `work` once the process has room for it. @throws CodedError `too_many_answers` */
  withRoom<T>(bytes: number, work: () => Promise<T>): Promise<T>;
  /** The run of this id, if he may read it. @throws CodedError `run_not_found` */
  run(id: string, owner: string | undefined): Promise<RunRecord>;
  /** @param body that of POST /api/process @throws CodedError as that route does */
  startRun(body: unknown): Promise<RunRecord>;
}

/** What was read for a caller may not be told if he may read less by now. */
export function accessChanged(): CodedError {
  return new CodedError('access_changed', 'your rights have changed; ask again');
}
