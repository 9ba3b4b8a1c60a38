// The bootstrap key makes an admin of its holder as long as there is nobody, and is refused if it is short or cannot be read.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BootstrapKey, readBootstrapKey } from '../../../src/auth/credentials/bootstrap-key.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'llm-streamer-bootstrap-'));
});
afterAll(() => rm(dir, { recursive: true }));

const KEY = 'k'.repeat(32);

it('is an admin until a person exists', async () => {
  const people: string[] = [];
  const check = new BootstrapKey(KEY, { users: async () => people });
  expect((await check.principalOf(KEY))?.grants.admin).toBe(true);
  expect(await check.principalOf(`${KEY}k`)).toBeUndefined();
  people.push('alice');
  expect(await check.principalOf(KEY)).toBeUndefined();
});

it('must have 32 characters, and is never in the error', async () => {
  const path = join(dir, 'key');
  expect(() => readBootstrapKey(path)).toThrow(/^AUTH_BOOTSTRAP_KEY_FILE .*cannot be read \(ENOENT\)$/);
  await writeFile(path, 'secret-but-short\n');
  expect(() => readBootstrapKey(path)).toThrow(/must hold at least 32/);
  expect(() => readBootstrapKey(path)).not.toThrow(/secret-but-short/);
  await writeFile(path, `${KEY}\n`);
  expect(readBootstrapKey(path)).toBe(KEY);
});
