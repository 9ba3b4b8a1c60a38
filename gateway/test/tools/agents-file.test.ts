import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentsFile, parseAgents } from '../../src/tools/agents-file.ts';
import { missingSecret } from '../../src/tools/config.ts';

const agent = { name: 'a', system: 'x' };
const url = 'https://tools.example/mcp';
const file = (servers: object, agents: object[] = [agent]) => JSON.stringify({ servers, agents });
const tools = { act: {} };

describe('an agents file', () => {
  it.each([
    '../../agents.json',
    '../../../examples/real-estate/agents.services.json',
    '../../../examples/real-estate/agents.compose.json',
  ])(
    'that comes with the product, %s, has the tools of the example, of which only one needs consent, and the same agent',
    (path) => {
      const { servers, agents } = parseAgents(readFileSync(new URL(path, import.meta.url), 'utf8'));
      expect(agents.map(({ name }) => name)).toEqual(['real-estate']);
      const comes = readFileSync(new URL('../../agents.json', import.meta.url), 'utf8');
      expect(agents).toEqual(parseAgents(comes).agents);
      const rules = [...servers.values()].flatMap((server) => [...server.tools]);
      expect(rules).toHaveLength(5);
      expect(rules.filter(([, { approval }]) => approval !== 'never').map(([tool]) => tool)).toEqual([
        'sendListingReport',
      ]);
    },
  );

  it('asks for consent to each tool that it does not call read-only', () => {
    const { servers } = parseAgents(
      file({ s: { url, tools: { a: {}, b: { read_only: true }, c: { approval: 'once_per_run' } } } }),
    );
    const rules = [...(servers.get('s')?.tools ?? [])].map(([tool, { approval }]) => [tool, approval]);
    expect(rules).toEqual([
      ['a', 'always'],
      ['b', 'never'],
      ['c', 'once_per_run'],
    ]);
  });

  it('has the same version for the same content, and another for another rule', () => {
    const version = (rule: object) => parseAgents(file({ s: { url, tools: { act: rule } } })).version;
    expect(version({})).toBe(version({ approval: 'always' }));
    expect(version({})).not.toBe(version({ read_only: true }));
  });

  it('gives an agent limits where it names none', () => {
    const [first] = parseAgents(file({}, [{ ...agent, limits: { steps: 3 } }])).agents;
    expect(first?.limits).toEqual({
      steps: 3,
      calls_per_step: 8,
      calls: 24,
      same_call: 3,
      timeout_ms: 300_000,
    });
  });

  it.each([
    ['no JSON', '{', 'not JSON, near line 1'],
    ['no agent', file({}, []), 'agents: must be a list of 1 to 32 agents'],
    ['two agents of one name', file({}, [agent, agent]), 'every agent needs a name of its own'],
    ['a typo', file({ s: { url, tools, timeout: 1 } }), 'servers.s: unknown timeout; known are url, builtin'],
    ['a typo in a rule', file({ s: { url, tools: { act: { readonly: true } } } }), 'unknown readonly'],
    ['neither url nor builtin', file({ s: { tools } }), 'servers.s: needs either url or builtin'],
    ['both', file({ s: { url, builtin: 'listings', tools } }), 'needs either url or builtin'],
    ['an unknown builtin', file({ s: { builtin: 'mail', tools } }), 'must be one of listings, analytics'],
    [
      'a file as address',
      file({ s: { url: 'file:///etc/passwd', tools } }),
      'servers.s.url: must look like https',
    ],
    ['a key in the address', file({ s: { url: 'https://u:p@x.example/', tools } }), 'must hold no user name'],
    ['a token in the address', file({ s: { url: `${url}?token=x`, tools } }), 'without ? or #'],
    ['no tool', file({ s: { url, tools: {} } }), 'must be an object of 1 to 64 tools'],
    ['a server with __', file({ a__b: { url, tools } }), 'must be named by 1 to 40'],
    ['a server that ends in _', file({ a_: { url, tools } }), 'must be named by 1 to 40'],
    ['jwt without a secret', file({ s: { url, token: 'jwt', tools } }), 'needs token_env'],
    [
      'a secret for a builtin',
      file({ s: { builtin: 'listings', token_env: 'A', tools } }),
      'is not for a builtin',
    ],
    ['a pin that is none', file({ s: { url, tools: { act: { pin: 'x' } } } }), 'must be the 16 hex digits'],
    [
      'a tool of no server',
      file({ s: { url, tools } }, [{ ...agent, tools: ['t__*'] }]),
      'agents[0].tools[0]: names no tool of a server of this file',
    ],
    [
      'a tool that its server has not',
      file({ s: { url, tools } }, [{ ...agent, tools: ['s__act', 's__*', '*', 's__acts'] }]),
      'agents[0].tools[3]: names no tool of a server of this file',
    ],
  ])('with %s is refused with its place', (_, text, complaint) => {
    expect(() => parseAgents(text)).toThrow(complaint);
  });

  it('takes names of tools that mean something to JavaScript as names', () => {
    const text = `{"agents":[{"name":"a","system":"x"}],"servers":{"constructor":{"url":"${url}","tools":{"toString":{}}}}}`;
    expect([...(parseAgents(text).servers.get('constructor')?.tools.keys() ?? [])]).toEqual(['toString']);
  });

  it.each([
    ['bearer', undefined, 's: S_TOKEN is not set'],
    ['bearer', 'a b', 'S_TOKEN must be a key'],
    ['jwt', 'short', 'S_TOKEN must have at least 32 bytes'],
    ['jwt', 'x'.repeat(32), undefined],
  ])('with token %s and the secret %s is complained of: %s', (token, secret, complaint) => {
    const { servers } = parseAgents(file({ s: { url, token, token_env: 'S_TOKEN', tools } }));
    const found = missingSecret(servers, () => secret);
    if (complaint === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(complaint);
  });
});

describe('an edit of the file', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'agents-'));
    path = join(folder, 'agents.json');
    writeFileSync(path, file({ s: { url, tools } }));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('takes effect; one that breaks the file is told, and the last good one stays', async () => {
    const broken: string[] = [];
    const agents = new AgentsFile({ path, pollMs: 20, onBroken: (reason) => broken.push(reason) });
    try {
      writeFileSync(path, '{"servers": ');
      await vi.waitFor(() => expect(broken).toHaveLength(1), { timeout: 30_000 });
      expect([...agents.current.servers.keys()]).toEqual(['s']);
      writeFileSync(path, file({ t: { url, tools } }));
      await vi.waitFor(() => expect([...agents.current.servers.keys()]).toEqual(['t']), { timeout: 30_000 });
    } finally {
      agents.close();
    }
  });
});
