import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runAgentsCommand } from '../../../src/tools/cli/agents-command.ts';
import { ACT, answerTo, closeAll, scriptedServer } from '../mcp-servers.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agents-'));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await closeAll();
});

async function run(command: string, servers: object, ...more: string[]) {
  const path = join(folder, 'agents.json');
  const agents = [{ name: 'a', system: 'x', tools: ['*'] }];
  writeFileSync(path, JSON.stringify({ servers, agents }));
  let out = '';
  let err = '';
  const code = await runAgentsCommand([command, path, ...more], {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

const gone = { url: 'http://127.0.0.1:1/mcp', tools: { act: {} } };

it('check says what is there, with a pin that holds', async () => {
  const { url } = await scriptedServer(answerTo());
  const { code, out } = await run('check', { mine: { url, tools: { act: {} } } });
  expect(code).toBe(0);
  const [, pin] = /^mine: up\n {2}mine__act {2}pin ([0-9a-f]{16})\nagent a: 1 tools\n$/.exec(out) ?? [];
  expect((await run('check', { mine: { url, tools: { act: { pin } } } })).out).toBe(out);
});

it('check says what is not there, and fails', async () => {
  const { code, out, err } = await run('check', { gone });
  expect([code, out]).toEqual([1, 'gone: down\nagent a: 0 tools\n']);
  expect(err).toContain('tools of gone: the server is down: it cannot be reached');
});

it('check says which tools are off and why, and fails; and what the file does not list', async () => {
  const long = { ...ACT, name: 'x'.repeat(129) }; // which no file could list
  const { url } = await scriptedServer(answerTo('', [ACT, long, { ...ACT, name: 'more\n\u001b[2J' }]));
  const tools = { act: { pin: '0'.repeat(16) }, missing: {} };
  const { code, out } = await run('check', { mine: { url, tools } });
  const now = /mine__act {2}off: its definition is not the one of its pin; it is \w{16} now/;
  expect(out).toMatch(now);
  expect(out.replace(now, '')).toBe(
    'mine: up\n  mine__missing  off: its server does not offer it\n  \n  more\ufffd\ufffd[2J  not in the file\nagent a: 0 tools\n',
  );
  expect(code).toBe(1);
  expect(await run('check', { mine: { url, tools: { act: {} } } })).toMatchObject({ code: 0 });
});

it('check names the place of a mistake', async () => {
  const { code, err } = await run('check', { mine: {} });
  expect([code, err]).toEqual([1, expect.stringContaining('agents: servers.mine')]);
});

it('call prints what a tool answers, without orders to the terminal', async () => {
  const { url } = await scriptedServer(answerTo('\u001b[2Jdone\u202e', [ACT]));
  const { code, out } = await run('call', { mine: { url, tools: { act: {} } } }, 'mine__act', '{"a":1}');
  expect([code, out]).toEqual([0, '\ufffd[2Jdone\ufffd\n']);
});

it.each([
  ['a tool that is not there', 'no__tool', '{}', 1],
  ['arguments that are no JSON', 'mine__act', '{', 2],
  ['arguments that are no object', 'mine__act', '["hi"]', 2],
  ['arguments that are too long', 'mine__act', JSON.stringify({ word: 'x'.repeat(20_000) }), 2],
])('call with %s says so', async (_, tool, args, expected) => {
  const { code, err } = await run('call', { gone }, tool, args);
  expect(code).toBe(expected);
  expect(err).toMatch(/^agents: .+\n$/m);
});
