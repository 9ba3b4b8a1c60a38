// The documentation says what the code does: every route, parameter of the environment, error code, event, gap reason and
// metric of the code is in it, and it names none that the code does not have. Every link leads somewhere.
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MemoryBroker } from '@llm-streamer/shared/broker/memory/memory-broker.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { createLogger } from '@llm-streamer/shared/logger.ts';
import { describe, expect, it } from 'vitest';
import { PAGES, VARIABLES } from '../../scripts/docs.ts';
import { openGateway } from '../../test-support/gateway.ts';
import { ROOT } from '../../test-support/process.ts';
import { createApp } from '../src/app.ts';
import { AUDIT_EVENTS } from '../src/auth/audit.ts';
import { authVariables } from '../src/auth/config.ts';
import { waysVariables } from '../src/auth/ways-config.ts';
import { readGatewayConfig } from '../src/config.ts';
import { ERRORS } from '../src/http/errors.ts';
import { SENTENCES } from '../src/llm/failure.ts';
import { RUN_ERRORS } from '../src/runs/run-errors.ts';
import { gapCounts } from '../src/stream/live/gap-counts.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const PROSE = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/*.md', { cwd: ROOT }).sort()];
const everywhere = PROSE.map(read).join('\n');

/** The text under a heading, up to the next of its kind. */
function section(page: string, heading: string): string {
  const [, rest] = read(page).split(new RegExp(`^## ${heading}$`, 'm'));
  if (rest === undefined) throw new Error(`${page} has no heading ${heading}`);
  return rest.split(/^## /m)[0] as string;
}

/** The words in backticks in the first column of the tables. */
function firstColumn(text: string): Set<string> {
  const rows = [...text.matchAll(/^\| (.*?) \|/gm)].map(([, cell]) => cell as string);
  return new Set(rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word as string)));
}

const matches = (text: string, pattern: RegExp) =>
  new Set([...text.matchAll(pattern)].map(([, word]) => word));
const sources = (pattern: string) =>
  globSync(pattern, { cwd: ROOT })
    .map((path) => read(path))
    .join('\n');

it.each(Object.entries(PAGES))('%s is as `npm run docs` writes it', (path, page) => {
  expect(read(path)).toBe(page());
});

describe('routes', () => {
  it('of the application are those of docs/http-api.md, and no page names another', async () => {
    const broker = new MemoryBroker();
    const app = createApp(readGatewayConfig({}), broker, createLogger('gateway', 'silent', true));
    const routes = new Set<string>();
    app.addHook('onRoute', ({ method, url, path }) => {
      const methods = [method].flat().filter((name) => name !== 'HEAD');
      // A handler that several methods share only answers that another method is meant.
      if (methods.length === 1) routes.add(`${methods[0]} ${path === '/*' ? '/' : url}`);
    });
    await app.ready();
    await app.close();
    await broker.close();
    const named = matches(everywhere, /`((?:GET|POST|PUT|DELETE|PATCH|OPTIONS) \/[^`?]*)/g);
    expect(named).toEqual(routes);
    const told = matches(
      read('docs/http-api.md').split('\n## ')[0] as string,
      /`((?:GET|POST|PATCH|DELETE|OPTIONS) \/[^`]*)`/g,
    );
    expect(told).toEqual(routes);
  });
});

it.each([
  ['/stream', ['GET /stream']],
  ['/api/entries', ['GET /stream', 'GET /api/entries']],
])('parameters of %s are all in docs/http-api.md', async (path, headings) => {
  const gateway = await openGateway();
  const answer = (await (await fetch(`${gateway.url}${path}?no_such=1`)).json()) as { detail: string };
  await gateway.close();
  const known = (/known are (.+)$/.exec(answer.detail)?.[1] ?? '').split(', ');
  expect(known.length).toBeGreaterThan(8);
  const described = headings.map((heading) => section('docs/http-api.md', heading)).join('\n');
  expect(known.filter((name) => !described.includes(`\`${name}\``))).toEqual([]);
});

describe('variables', () => {
  const aliases = Object.values(VARIABLES).flatMap((schema) => (schema.meta()?.alias as string) ?? []);

  it('are all in docs/configuration.md', () => {
    expect(firstColumn(read('docs/configuration.md'))).toEqual(
      new Set([...Object.keys(VARIABLES), ...aliases]),
    );
  });

  it('that a page or the composition names exist', () => {
    const known = new Set<string | undefined>([
      ...Object.keys(VARIABLES),
      ...aliases,
      'CHROMIUM_PATH',
      'LISTINGS_TOKEN',
      'WEATHER_TOKEN',
      'LISTINGS_URL',
      'ANALYTICS_TOKEN',
      'DOCKER_GID',
      'DOCKER_SOCKET',
      'NODE_EXTRA_CA_CERTS', // Node's own
    ]);
    const named = matches(everywhere, /(?<![\w.])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b(?!…)/g);
    /** Variables of other programs, which docs/otlp.md, docs/shippers.md and docs/openai.md tell people to set. */
    const foreign = /^(?:OPENAI|GROQ|OTEL|SPLUNK|CLAUDE_CODE|GEMINI|LANGFUSE|LANGSMITH|TRACELOOP)_/;
    expect([...named].filter((name) => !known.has(name) && !foreign.test(name as string))).toEqual([]);
    const composed = matches(read('docker-compose.yml'), /^ +- ([A-Z_]+)(?:=|$)/gm);
    expect(composed.size).toBeGreaterThan(10);
    expect([...composed].filter((name) => !known.has(name))).toEqual([]);
  });

  it('that say who may come are all passed on by the composition, but for the file of the embedded log', () => {
    const composed = matches(read('docker-compose.yml'), /^ +- ([A-Z_]+)(?:=|$)/gm);
    const names = Object.keys({ ...authVariables, ...waysVariables });
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !composed.has(name) && name !== 'AUTH_FILE')).toEqual([]);
  });

  it('AUTH is passed on to all parts that use the log: with it nothing is repeated on plain channels', () => {
    const services = read('docker-compose.yml').split(/^ {2}(?=\w+:$)/m);
    const users = services.filter((service) => service.includes('- REDIS_URL='));
    expect(users).toHaveLength(3);
    expect(users.filter((service) => !/^ +- AUTH=/m.test(service))).toEqual([]);
  });

  it('that are lengths say their unit', () => {
    const lengths = Object.entries(VARIABLES).filter(([, schema]) =>
      /^(?:Time|Memory) /.test(schema.meta()?.description as string),
    );
    expect(lengths.length).toBeGreaterThan(7);
    expect(lengths.map(([name]) => name).filter((name) => !/_(?:MS|SECONDS|BYTES)$/.test(name))).toEqual([]);
  });
});

describe('events of the audit', () => {
  it('are all in the page for operators', () => {
    const page = read('docs/operations.md');
    const missing = Object.values(AUDIT_EVENTS).filter((event) => !page.includes(`| \`${event}\` |`));
    expect(missing).toEqual([]);
  });
});

describe('error codes', () => {
  /** Codes that no client gets: a program that cannot start ends with them, or a gateway gets them from its log. */
  const INTERNAL = [
    'invalid_config',
    'invalid_prompts',
    'invalid_agents',
    'unusable_tool',
    'no_dashboard',
    'usage',
    'failure',
    'invalid_acl',
    'run_gone',
    'lease_lost',
    'fenced',
  ];

  it('that the code throws are in the table, or reach no client', () => {
    const thrown = matches(
      sources('{gateway,shared}/src/**/*.ts'),
      /(?:new CodedError|new PublishRefused|new HttpError|super)\(\s*'(\w+)'/g,
    );
    expect(thrown.size).toBeGreaterThan(20);
    expect([...thrown].filter((code) => !Object.hasOwn(ERRORS, code as string)).sort()).toEqual(
      [...thrown].filter((code) => INTERNAL.includes(code as string)).sort(),
    );
  });

  it('that a page names exist', () => {
    const known = new Set<string | undefined>(Object.keys({ ...ERRORS, ...RUN_ERRORS, ...SENTENCES }));
    const answers = matches(everywhere, /`\d{3} ([a-z_]+)`/g);
    expect(answers.size).toBeGreaterThan(5);
    const models = matches(everywhere, /`(llm_(?!streamer)\w+)`/g);
    const failures = [
      ...section('docs/runs.md', 'What goes wrong').matchAll(/^\| [^|]+ \| ([^|]+) \|/gm),
    ].flatMap(([, cell = '']) => [...cell.matchAll(/`(\w+)`/g)].map(([, code]) => code));
    expect(failures.length).toBeGreaterThan(15);
    expect([...answers, ...models, ...failures].filter((code) => !known.has(code))).toEqual([]);
  });

  it('of models are all explained in docs/runs.md', () => {
    const explained = section('docs/runs.md', 'What goes wrong');
    expect(Object.keys(SENTENCES).filter((code) => !explained.includes(`\`${code}\``))).toEqual([]);
  });
});

describe('events', () => {
  it('of /stream are those of docs/stream.md', () => {
    const sent = matches(sources('gateway/src/**/*.ts'), /controlFrame\(\s*'(\w+)'/g);
    expect(sent.size).toBeGreaterThan(3);
    expect(firstColumn(section('docs/stream.md', 'Events'))).toEqual(sent);
  });

  it('of a run are those of docs/runs.md', () => {
    const sent = matches(read('gateway/src/runs/wire.ts'), /\bevent: '(\w+)'(?:,| \|)/g);
    sent.add('content'); // chosen in an expression
    expect(firstColumn(section('docs/runs.md', 'Events'))).toEqual(sent);
  });

  it('of the vocabulary are those of docs/http-api.md', () => {
    const named = matches(
      section('docs/http-api.md', 'Vocabulary').split('|---|---|')[1] ?? '',
      /`([a-z]+\.[a-z]+)`/g,
    );
    expect(named).toEqual(new Set(Object.values(EVENTS)));
  });

  it('gaps have the reasons of docs/architecture.md', () => {
    expect(firstColumn(section('docs/architecture.md', 'Gaps by reason'))).toEqual(
      new Set(Object.keys(gapCounts())),
    );
  });
});

it('metrics are those of docs/operations.md', async () => {
  const gateway = await openGateway();
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  const { status: _, reason: __, ...health } = await gateway.health();
  await gateway.close();
  expect(firstColumn(section('docs/operations.md', 'Metrics'))).toEqual(matches(text, /^# TYPE (\w+)/gm));
  const described = section('docs/operations.md', 'Health');
  expect(Object.keys(health).filter((field) => !described.includes(`\`${field}\``))).toEqual([]);
});

describe('links', () => {
  const pages = [...PROSE, 'CHANGELOG.md'];

  /** The anchors that GitHub makes of the headings of a page. */
  const anchorsOf = (path: string) =>
    matches(
      read(path)
        .replaceAll(/^```[\s\S]*?^```/gm, '')
        .replaceAll(/^#+ (.*)$/gm, (_, heading: string) => {
          const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
          return `#${words.replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')}`;
        }),
      /^#(\S+)$/gm,
    );

  it.each(pages)('of %s lead to a file, and to a heading in it', (page) => {
    const text = read(page).replaceAll(/^```[\s\S]*?^```/gm, '');
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)|src="([^"]+)"/g)].map(
      ([, link, image]) => link ?? image ?? '',
    );
    const broken = targets.filter((target) => {
      if (/^[a-z]+:/.test(target)) return false;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, file))) return true;
      return (
        anchor !== undefined && (statSync(join(ROOT, file)).isDirectory() || !anchorsOf(file).has(anchor))
      );
    });
    expect(broken).toEqual([]);
  });

  it('lead from the README to every page of docs/', () => {
    const linked = matches(read('README.md'), /\]\((docs\/\w[\w-]*\.md)[#)]/g);
    expect(linked).toEqual(new Set(globSync('docs/*.md', { cwd: ROOT })));
  });
});

it('the README has at most 150 lines', () => {
  expect(read('README.md').split('\n').length).toBeLessThanOrEqual(151);
});
