// For tests: a gateway whose door leads to a service of the test's choice, and what it has told of its calls.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Prices } from '@llm-streamer/shared/api-types.ts';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { openGateway, type TestGateway } from '../../../test-support/gateway.ts';
import { eventually } from '../../../test-support/process.ts';
import type { AuthStore } from '../../src/auth/store/auth-store.ts';
import { stored } from '../otlp/requests.ts';

export interface UpstreamSetting {
  name: string;
  base_url: string;
  key_env?: string;
}

export interface DoorGateway extends TestGateway {
  /** The base URL of OpenAI clients. */
  v1: string;
  /** All entries on these channels. */
  told(...channels: string[]): Promise<Entry[]>;
  /** The entries of all calls where their texts are, once `count` calls have ended. */
  calls(count?: number, channel?: string): Promise<Entry[]>;
}

const ENDS = ['generation.finished', 'generation.failed'];

/** A prompts file with these upstreams and prices; `remove` deletes it. */
export function promptsFile(
  upstreams: readonly UpstreamSetting[],
  prices?: Prices,
): { path: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), 'llm-streamer-prompts-'));
  const path = join(dir, 'prompts.json');
  const lane = (name: string) => ({ name, system: 'You answer.' });
  writeFileSync(path, JSON.stringify({ tasks: [lane('one')], combiner: lane('all'), upstreams, prices }));
  return { path, remove: () => rmSync(dir, { recursive: true }) };
}

/** @param upstreams their addresses, or the one of the default. */
export async function openDoor(
  upstreams: string | readonly UpstreamSetting[],
  env: Readonly<Record<string, string>> = {},
  store?: AuthStore,
): Promise<DoorGateway> {
  const named = typeof upstreams === 'string' ? [{ name: 'default', base_url: upstreams }] : upstreams;
  const file = promptsFile(named);
  const gateway = await openGateway({ PROMPTS_FILE: file.path, ...env }, {}, store);
  const told = (...channels: string[]) => stored(gateway.broker, channels);
  const calls = async (count = 1, channel = 'runs:*') => {
    let entries: Entry[] = [];
    await eventually(`${count} calls in the log`, async () => {
      entries = await told(channel);
      return entries.filter(({ event = '' }) => ENDS.includes(event)).length >= count;
    });
    return entries;
  };
  return {
    ...gateway,
    v1: `${gateway.url}/v1`,
    told,
    calls,
    close: async () => {
      await gateway.close();
      file.remove();
    },
  };
}
