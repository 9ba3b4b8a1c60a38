// The bounds of one `publish`, the same for every broker. A batch beyond them is refused as a whole.

import type { Draft } from '../entry.ts';
import { PublishRefused } from '../errors.ts';
import { MAX_BATCH_BYTES, MAX_BATCH_ENTRIES } from './broker.ts';

/** @throws PublishRefused `batch_too_large` */
export function checkBatch(drafts: readonly Draft[]): void {
  if (drafts.length > MAX_BATCH_ENTRIES)
    throw new PublishRefused('batch_too_large', `a batch holds at most ${MAX_BATCH_ENTRIES} entries`);
  let bytes = 0;
  for (const { body } of drafts) bytes += body.length;
  if (bytes > MAX_BATCH_BYTES)
    throw new PublishRefused('batch_too_large', `a batch holds at most ${MAX_BATCH_BYTES} bytes`);
}
