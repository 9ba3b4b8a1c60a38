// Makes sure that one collector at a time uses a state file: two would send different batches under one number, or all lines twice.
// The lock is a socket on which this process listens. Unlike a file with a process id, it ends with the process also where every
// process has the id 1, as in containers.

import { once } from 'node:events';
import { mkdir, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import { CodedError } from '@llm-streamer/shared/errors.ts';

/** The path of a socket has at most 107 bytes. */
const MAX_PATH_BYTES = 107;

export class StateLock {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @throws CodedError `journal`, if another collector uses the file, or the lock cannot be made. */
  static async take(statePath: string): Promise<StateLock> {
    const path = `${statePath}.lock`;
    if (Buffer.byteLength(path) > MAX_PATH_BYTES)
      throw new CodedError(
        'journal',
        `--state ${statePath}: the path is too long, at most ${MAX_PATH_BYTES - 5} bytes`,
      );
    try {
      await mkdir(dirname(path), { recursive: true });
      return new StateLock(await listen(path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw unusable(statePath, error);
    }
    if (await answers(path))
      throw new CodedError('journal', `--state ${statePath}: another collector uses it`);
    try {
      await unlink(path);
      return new StateLock(await listen(path));
    } catch (error) {
      throw unusable(statePath, error);
    }
  }

  async release(): Promise<void> {
    this.#server.close();
    await once(this.#server, 'close');
  }
}

async function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  server.listen(path);
  await once(server, 'listening');
  server.unref();
  return server;
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function unusable(statePath: string, error: unknown): CodedError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new CodedError('journal', `--state ${statePath}: cannot be used (${code ?? message})`);
}
