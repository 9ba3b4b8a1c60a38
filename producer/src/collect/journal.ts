// Keeps on disk how far each container was delivered, and the batch that is under way, so that a collector that is killed at any
// moment goes on where it was: a batch is written here before it is sent, and sent again, unchanged and with the same stamp, unless
// its outcome is written here, too. What was written only in part was not sent.
//
// The file is lines of JSON: first a summary of all that was before, then what happened since. When it grows, it is written anew.

import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import type { Draft } from '@llm-streamer/shared/entry.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { type Cursor, type CursorArray, cursorFromArray, cursorToArray } from './position.ts';
import { isStamp, type Stamp } from './stamp.ts';

const VERSION = 1;
/** The file is written anew when it is larger than this. */
const COMPACT_BYTES = 4 * 1_048_576;
/** Of more containers than this, those that have been silent for longest are forgotten. */
const MAX_CONTAINERS = 5_000;

/** How far a container was delivered. */
export interface Delivered {
  /** All that is not delivered has this time or a later one, give or take what two outputs differ. */
  since: Stamp;
  stdout?: Cursor;
  stderr?: Cursor;
}

/** A batch that is under way. */
export interface PendingBatch {
  writer: string;
  seq: number;
  drafts: Draft[];
  /** The log has refused the batch as a whole, so its channels are sent one by one, with the numbers after `seq`. */
  isSplit: boolean;
}

interface DeliveredJson {
  since: Stamp;
  stdout?: CursorArray;
  stderr?: CursorArray;
}

type Line =
  | { v: number; floor: Stamp; containers: Record<string, DeliveredJson> }
  | {
      batch: { writer: string; seq: number; drafts: [channel: string, body: string][] };
      containers: Record<string, DeliveredJson>;
    }
  | { split: number }
  | { done: number };

export class Journal {
  readonly #path: string;
  readonly #containers: Map<string, Delivered>;
  #file: FileHandle | undefined;
  #bytes = 0;
  #pending: PendingBatch | undefined;
  /** Of containers without an entry here, nothing older than this is collected. */
  readonly floor: Stamp;

  /** What was replayed of the file at `path`. */
  constructor(path: string, floor: Stamp, containers: Map<string, Delivered>, pending?: PendingBatch) {
    this.#path = path;
    this.floor = floor;
    this.#containers = containers;
    this.#pending = pending;
  }

  /**
   * Reads the file, or begins one, in which nothing older than `floor` is collected.
   * @throws CodedError `journal` with one line, if the file cannot be read or written, or is no journal.
   */
  static async open(path: string, floor: Stamp): Promise<Journal> {
    try {
      const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return '';
        throw error;
      });
      const journal = text === '' ? new Journal(path, floor, new Map()) : replay(path, text);
      await journal.#compact();
      return journal;
    } catch (error) {
      if (error instanceof CodedError) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      throw new CodedError('journal', `--state ${path}: cannot be used (${code ?? message})`);
    }
  }

  /** The batch whose outcome is not known. */
  get pending(): PendingBatch | undefined {
    return this.#pending;
  }

  delivered(container: string): Delivered | undefined {
    return this.#containers.get(container);
  }

  /** To be called before a batch is sent; `delivered` says how far its containers will be delivered with it. */
  async begin(batch: PendingBatch, delivered: ReadonlyMap<string, Delivered>): Promise<void> {
    const { writer, seq, drafts } = batch;
    const containers = toJson(delivered);
    await this.#append({
      batch: { writer, seq, drafts: drafts.map(({ channel, body }) => [channel, body]) },
      containers,
    });
    this.#pending = batch;
    merge(this.#containers, delivered);
  }

  /** To be called before the parts of a batch are sent. */
  async split(batch: PendingBatch): Promise<void> {
    await this.#append({ split: batch.seq });
    batch.isSplit = true;
  }

  /** To be called when the outcome of the batch is known. */
  async finish(batch: PendingBatch): Promise<void> {
    await this.#append({ done: batch.seq });
    this.#pending = undefined;
    if (this.#bytes > COMPACT_BYTES) await this.#compact();
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  /** A line that could not be written whole, because the disk is full, is written over by the next. */
  async #append(line: Line): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    await writeAll(this.#file as FileHandle, bytes, this.#bytes);
    this.#bytes += bytes.length;
  }

  async #compact(): Promise<void> {
    const bytes = Buffer.from(this.#summary());
    const next = `${this.#path}.new`;
    // Only its owner may read the file: it holds lines of logs.
    const file = await open(next, 'w', 0o600);
    try {
      await writeAll(file, bytes, 0);
      await rename(next, this.#path);
    } catch (error) {
      await file.close();
      throw error;
    }
    await this.#file?.close();
    this.#file = file;
    this.#bytes = bytes.length;
  }

  #summary(): string {
    const lines: Line[] = [{ v: VERSION, floor: this.floor, containers: toJson(this.#containers) }];
    if (this.#pending) {
      const { writer, seq, drafts, isSplit } = this.#pending;
      const batch = {
        writer,
        seq,
        drafts: drafts.map(({ channel, body }): [string, string] => [channel, body]),
      };
      lines.push({ batch, containers: {} });
      if (isSplit) lines.push({ split: seq });
    }
    return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  }
}

function replay(path: string, text: string): Journal {
  // What comes after the last line end was not written whole, so it was not sent. The line before may be the end of a longer one
  // that the next had begun to write over.
  const lines = text.split('\n').slice(0, -1);
  const damaged = (n: number) =>
    new CodedError(
      'journal',
      `--state ${path}: line ${n} is damaged; without this file, --since says how far back to begin`,
    );
  const containers = new Map<string, Delivered>();
  let floor: Stamp | undefined;
  let pending: PendingBatch | undefined;
  lines.forEach((text, i) => {
    const line = parse(text);
    if (line === undefined || (floor === undefined) !== 'v' in line) {
      if (i === lines.length - 1 && i > 0) return;
      throw damaged(i + 1);
    }
    if ('v' in line) floor = line.floor;
    if ('batch' in line) {
      const { writer, seq, drafts } = line.batch;
      pending = { writer, seq, drafts: drafts.map(([channel, body]) => ({ channel, body })), isSplit: false };
    }
    if ('containers' in line) merge(containers, fromJson(line.containers));
    if ('split' in line && pending?.seq === line.split) pending.isSplit = true;
    if ('done' in line && pending?.seq === line.done) pending = undefined;
  });
  if (floor === undefined) throw damaged(1);
  return new Journal(path, floor, containers, pending);
}

function parse(text: string): Line | undefined {
  let line: Record<string, unknown>;
  try {
    line = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (typeof line !== 'object' || line === null) return undefined;
  const isSummary = line.v === VERSION && isStamp(line.floor) && isObject(line.containers);
  const isBatch = isObject(line.batch) && Array.isArray(line.batch.drafts) && isObject(line.containers);
  return isSummary || isBatch || typeof line.split === 'number' || typeof line.done === 'number'
    ? (line as unknown as Line)
    : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** The containers that were written last come last. */
function merge(into: Map<string, Delivered>, more: ReadonlyMap<string, Delivered>): void {
  for (const [id, delivered] of more) {
    const before = into.get(id);
    into.delete(id);
    into.set(id, { ...before, ...delivered });
  }
  for (const id of into.keys()) {
    if (into.size <= MAX_CONTAINERS) break;
    into.delete(id);
  }
}

function toJson(containers: ReadonlyMap<string, Delivered>): Record<string, DeliveredJson> {
  return Object.fromEntries(
    [...containers].map(([id, { since, stdout, stderr }]) => [
      id,
      {
        since,
        ...(stdout && { stdout: cursorToArray(stdout) }),
        ...(stderr && { stderr: cursorToArray(stderr) }),
      },
    ]),
  );
}

function fromJson(containers: Record<string, DeliveredJson>): Map<string, Delivered> {
  const read = new Map<string, Delivered>();
  for (const [id, json] of Object.entries(containers)) {
    if (!isStamp(json?.since)) continue;
    const stdout = cursorFromArray(json.stdout);
    const stderr = cursorFromArray(json.stderr);
    read.set(id, { since: json.since, ...(stdout && { stdout }), ...(stderr && { stderr }) });
  }
  return read;
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}
