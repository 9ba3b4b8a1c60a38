// The file with people, roles, keys and sessions. Nobody but its owner may read it; it is replaced as a whole, so that a crash leaves
// the old content or the new one; and one process at a time changes it.

import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BrokerUnavailable, CodedError } from '@llm-streamer/shared/errors.ts';

/** A change takes milliseconds. A lock as old as this was left by a process that was killed. */
const STALE_LOCK_MS = 10_000;
const LOCK_PATIENCE_MS = 15_000;
const LOCK_PAUSE_MS = 20;
const MAX_BYTES = 64 * 1_048_576;

export class AuthFile {
  readonly #path: string;
  /** What the file was when it was last read, valid or not: it is read again when this differs. */
  #stamp: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * The content; undefined if nothing has changed since the last call; '' where there is no file.
   * @throws CodedError `invalid_config` if it cannot be read, or if others could read it
   */
  async changedContent(): Promise<string | undefined> {
    try {
      return await this.#read();
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT') {
        if (this.#stamp === '') return undefined;
        this.#stamp = '';
        return '';
      }
      if (code === undefined || error instanceof CodedError) throw error;
      throw new CodedError('invalid_config', `cannot be read (${code})`);
    }
  }

  /** @throws CodedError `invalid_config` where no file could ever be made */
  async checkFolder(): Promise<void> {
    const folder = dirname(this.#path);
    const isFolder = await stat(folder).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (!isFolder) throw new CodedError('invalid_config', `there is no folder ${folder}`);
  }

  async #read(): Promise<string | undefined> {
    const handle = await open(this.#path, 'r');
    try {
      const status = await handle.stat();
      if (status.isDirectory()) throw new CodedError('invalid_config', 'it is a folder: name a file in it');
      const { ino, size, mtimeMs, ctimeMs, mode } = status;
      const stamp = `${ino}:${size}:${mtimeMs}:${ctimeMs}`;
      if (stamp === this.#stamp) return undefined;
      this.#stamp = stamp;
      if (process.platform !== 'win32' && (mode & 0o077) !== 0)
        throw new CodedError('invalid_config', 'others may read it: chmod 600');
      if (size > MAX_BYTES) throw new CodedError('invalid_config', `it is larger than ${MAX_BYTES} bytes`);
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  }

  /** Runs `change` while no other process can. @throws BrokerUnavailable */
  async exclusively<T>(change: () => Promise<T>): Promise<T> {
    const lock = `${this.#path}.lock`;
    await this.#lock(lock);
    try {
      return await change();
    } finally {
      await rm(lock, { force: true });
    }
  }

  /** Replaces the content. @throws BrokerUnavailable if it cannot be written; the old content is then still there */
  async write(content: string): Promise<void> {
    try {
      // A link stays a link: what it leads to is replaced.
      const target = await realpath(this.#path).catch(() => this.#path);
      const aside = `${target}.${process.pid}.new`;
      await rm(aside, { force: true });
      await withFile(await open(aside, 'wx', 0o600), async (handle) => {
        await handle.writeFile(content);
        await handle.sync();
      });
      await rename(aside, target);
      await withFile(await open(dirname(target), 'r'), (handle) => handle.sync());
    } catch (error) {
      throw new BrokerUnavailable(`AUTH_FILE cannot be written (${codeOf(error)})`, error);
    }
  }

  async #lock(lock: string): Promise<void> {
    const deadline = performance.now() + LOCK_PATIENCE_MS;
    for (;;) {
      try {
        await (await open(lock, 'wx', 0o600)).close();
        return;
      } catch (error) {
        const code = codeOf(error);
        if (code !== 'EEXIST')
          throw new BrokerUnavailable(`AUTH_FILE cannot be written (${code}): its folder must exist`, error);
      }
      const age = await stat(lock).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      );
      if (age > STALE_LOCK_MS) await rm(lock, { force: true });
      else if (performance.now() > deadline)
        throw new BrokerUnavailable('AUTH_FILE is being changed by another process');
      else await pause(LOCK_PAUSE_MS);
    }
  }
}

async function withFile(handle: FileHandle, use: (handle: FileHandle) => Promise<void>): Promise<void> {
  try {
    await use(handle);
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
