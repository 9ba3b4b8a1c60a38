// Processes of the benchmark, and calls to them: the load, the publisher and the ceiling must not share a thread with each other
// or with what counts them. A worker ends with the process that started it.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

// biome-ignore lint/suspicious/noExplicitAny: each worker's methods have parameters of their own
type Methods = Record<string, (parameters: any) => unknown>;
type ParametersOf<M extends Methods, K extends keyof M> = Parameters<M[K]>[0];

interface Request {
  id: number;
  method: string;
  parameters: unknown;
}
interface Reply {
  id: number;
  result?: unknown;
  error?: string;
}

/**
 * Garbage collections run on threads that take the cores from the processes that are measured. A small young generation makes
 * them frequent. Code of V8's middle compiler makes them costly: what was sent or read survives them (RESULTS.md, "the bench's
 * own publisher").
 */
const RARE_COLLECTIONS = ['--max-semi-space-size=64', '--no-maglev'];

/** A call that takes longer has hung: the server has stopped answering, or the machine is too slow. */
const CALL_MS = 90_000;

export class Worker<M extends Methods> {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #calls = 0;

  /** `file` beside this one; it calls `serve`. `flags` are Node's. */
  constructor(file: string, flags: readonly string[] = RARE_COLLECTIONS) {
    const path = fileURLToPath(new URL(file, import.meta.url));
    this.#child = fork(path, { serialization: 'advanced', execArgv: [...flags] });
    this.#child.on('message', ({ id, result, error }: Reply) => {
      const call = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) call?.resolve(result);
      else call?.reject(new Error(`${file}: ${error}`));
    });
    this.#child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${file} has ended`));
      this.#waiting.clear();
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  call<K extends keyof M & string>(
    method: K,
    parameters: ParametersOf<M, K>,
  ): Promise<Awaited<ReturnType<M[K]>>> {
    const call = Promise.withResolvers<unknown>();
    const id = ++this.#calls;
    this.#waiting.set(id, call);
    this.#child.send({ id, method, parameters } satisfies Request, (error) => {
      if (error) call.reject(error);
    });
    const late = setTimeout(() => {
      this.#waiting.delete(id);
      call.reject(new Error(`${method}: no answer within ${CALL_MS / 1_000} s`));
    }, CALL_MS);
    return call.promise.finally(() => clearTimeout(late)) as Promise<Awaited<ReturnType<M[K]>>>;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL'); // it holds nothing that wants saving
    await gone;
  }
}

/** The worker's side: answers the calls of the process that started it, until that process is gone. */
export function serve(methods: Methods): void {
  process.on('message', ({ id, method, parameters }: Request) => {
    const answer = async () => methods[method]?.(parameters);
    answer()
      .then((result) => process.send?.({ id, result } satisfies Reply))
      .catch((error) => process.send?.({ id, error: error instanceof Error ? error.message : `${error}` }));
  });
  process.on('disconnect', () => process.exit());
}
