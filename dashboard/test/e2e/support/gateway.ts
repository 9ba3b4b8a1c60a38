// The real gateway as a child process, and entries posted to it as any producer would.
import { type RunningProcess, startProcess } from '../../../../test-support/process.ts';

/** Just below a hook's timeout, because the error thrown here says more than the hook's. */
const STARTS_WITHIN_MS = 55_000;

export interface Gateway {
  url: string;
  publish(...entries: Record<string, unknown>[]): Promise<string[]>;
  health(): Promise<Record<string, unknown>>;
  process: RunningProcess;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export async function startGateway(env: Record<string, string> = {}): Promise<Gateway> {
  const process = startProcess(['gateway/src/main.ts'], {
    env: { PORT: '0', SSE_KEEPALIVE_MS: '300', ...env },
  });
  const listening = await process.saw(/listening at (http:\/\/[\d.:]+)/, STARTS_WITHIN_MS);
  const url = listening.replace('listening at ', '');
  return {
    url,
    process,
    async publish(...entries) {
      const ids: string[] = [];
      // In batches of the size that the API accepts.
      for (let i = 0; i < entries.length; i += 400) {
        const response = await fetch(`${url}/api/publish`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(entries.slice(i, i + 400)),
        });
        if (!response.ok) throw new Error(await response.text());
        ids.push(...((await response.json()) as { ids: string[] }).ids);
      }
      return ids;
    },
    async health() {
      return (await (await fetch(`${url}/sse/health`)).json()) as Record<string, unknown>;
    },
    async stop(signal) {
      await process.stop(signal);
    },
  };
}

/** `count` plain lines on `logs`, numbered from `from`. */
export function lines(
  count: number,
  from = 0,
  fields: Record<string, unknown> = {},
): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, i) => ({
    channel: 'logs',
    source: 'test',
    msg: `line ${from + i}`,
    ...fields,
  }));
}
