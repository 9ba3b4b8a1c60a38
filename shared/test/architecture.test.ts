// Holds the directions of the design by reading every source file: who may import what, who reads the environment,
// how large a file may be. A failure names the files.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../test-support/process.ts';

const WORKSPACES = ['shared', 'gateway', 'producer', 'dashboard'] as const;
const FOLDERS = [
  ...WORKSPACES.flatMap((name) => [`${name}/src`, `${name}/bench`]),
  'scripts',
  'test-support',
  'examples',
];
const MAX_LINES = 400;

interface Import {
  /** As written, or the file's path from the root where it is one of ours. */
  target: string;
  /** `import type` is erased: it binds the compiler, not the program. */
  typeOnly: boolean;
}

interface Source {
  path: string;
  text: string;
  imports: Import[];
}

const SHARED = '@llm-streamer/shared/';
// Statements begin a line, so that an import in a comment or a text is none.
const STATEMENT = /^(?:import|export)\s+(type\s+)?(?:[\w*{][^;'"]*?\sfrom\s*)?['"]([^'"]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

function importsOf(path: string, text: string): Import[] {
  const locate = (specifier: string) => {
    if (specifier.startsWith('.')) return normalize(join(dirname(path), specifier));
    return specifier.startsWith(SHARED) ? `shared/src/${specifier.slice(SHARED.length)}` : specifier;
  };
  return [
    ...[...text.matchAll(STATEMENT)].map((match) => ({
      target: locate(match[2] ?? ''),
      typeOnly: !!match[1],
    })),
    ...[...text.matchAll(DYNAMIC)].map((match) => ({ target: locate(match[1] ?? ''), typeOnly: false })),
  ];
}

function filesUnder(folder: string): string[] {
  const absolute = join(ROOT, folder);
  if (!existsSync(absolute)) return [];
  return readdirSync(absolute, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
}

const files = FOLDERS.flatMap(filesUnder).filter((path) => /\.(ts|tsx|mjs|lua|css)$/.test(path));
const sources = new Map<string, Source>(
  files.map((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    return [path, { path, text, imports: /\.(ts|tsx|mjs)$/.test(path) ? importsOf(path, text) : [] }];
  }),
);

const under = (folder: string) => [...sources.values()].filter(({ path }) => path.startsWith(`${folder}/`));
const packageOf = (target: string) => target.split('/')[0] ?? '';

/** `file → import` for every import that `forbidden` names. */
function offences(from: Iterable<Source>, forbidden: (target: string, source: Source) => boolean): string[] {
  return [...from].flatMap((source) =>
    source.imports
      .filter(({ target }) => forbidden(target, source))
      .map(({ target }) => `${source.path} → ${target}`),
  );
}

/** Everything that a program gets when it imports `path`: our files and packages, each with the way to it. */
function reached(path: string, way: string[] = [], seen = new Map<string, string>()): Map<string, string> {
  if (seen.has(path)) return seen;
  seen.set(path, [...way, path].join(' → '));
  for (const { target, typeOnly } of sources.get(path)?.imports ?? [])
    if (!typeOnly) reached(target, [...way, path], seen);
  return seen;
}

/** The shortest way along imports from a file back to itself; undefined where there is none. */
function circleOf(path: string): string | undefined {
  const ways = new Map([[path, [path]]]);
  for (const [from, way] of ways) {
    for (const { target } of sources.get(from)?.imports ?? []) {
      if (target === path) return [...way, path].join(' → ');
      if (!ways.has(target)) ways.set(target, [...way, target]);
    }
  }
  return undefined;
}

describe('imports', () => {
  it('are found by this test, in every form', () => {
    const text = [
      "import a from 'a';",
      "import type { B } from './b.ts';",
      "import {\n  c,\n  type D,\n} from '../c.ts';",
      "import 'e';",
      "export { f } from '@llm-streamer/shared/f.ts';",
      "export * from 'g';",
      "const h = await import('h');",
      "// import i from 'i';",
      '  const text = "import j from \'j\'";',
      "import * as k from 'node:k';",
    ].join('\n');
    expect(importsOf('gateway/src/x/y.ts', text)).toEqual([
      { target: 'a', typeOnly: false },
      { target: 'gateway/src/x/b.ts', typeOnly: true },
      { target: 'gateway/src/c.ts', typeOnly: false },
      { target: 'e', typeOnly: false },
      { target: 'shared/src/f.ts', typeOnly: false },
      { target: 'g', typeOnly: false },
      { target: 'node:k', typeOnly: false },
      { target: 'h', typeOnly: false },
    ]);
    expect(sources.get('shared/src/sse.ts')).toBeDefined();
    expect(sources.get('shared/src/decode/decode.ts')?.imports.map(({ target }) => target)).toContain(
      'shared/src/entry.ts',
    );
  });

  it('lead to files that exist', () => {
    const ours = (target: string) =>
      [...WORKSPACES, 'scripts', 'test-support'].some((name) => packageOf(target) === name);
    const missing = offences(sources.values(), (target) => ours(target) && !existsSync(join(ROOT, target)));
    expect(missing).toEqual([]);
  });

  it('of shared stay inside shared, and those of the others in themselves and shared', () => {
    const foreign = WORKSPACES.flatMap((name) =>
      offences(under(`${name}/src`), (target, { path }) => {
        // The example's servers come with the gateway; one file knows them.
        if (target.startsWith('@llm-streamer/real-estate/'))
          return path !== 'gateway/src/tools/builtin-servers.ts';
        if (target.startsWith('@llm-streamer/')) return true; // shared by its name alone: there is no barrel
        const home = packageOf(target);
        const ours = [...WORKSPACES, 'scripts', 'test-support', '..'].includes(home);
        return ours && home !== name && !target.startsWith('shared/src/');
      }),
    );
    expect(foreign).toEqual([]);
  });

  it('of shared into the page bring no zod, no Redis, no logger and nothing of Node', () => {
    const heavy = (target: string) => /^(?:node:|zod|ioredis|pino)/.test(target);
    const brought = under('dashboard/src').flatMap(({ path }) =>
      [...reached(path)].filter(([target]) => heavy(target)).map(([, way]) => way),
    );
    expect(brought).toEqual([]);
  });

  it('of Fastify stand only in the gateway’s http folder and its composition root', () => {
    const allowed = /^gateway\/src\/(?:http\/|app\.ts$)/;
    const fastify = (target: string) => /^(?:fastify|@fastify\/.*)$/.test(target);
    expect(offences(sources.values(), (target, { path }) => fastify(target) && !allowed.test(path))).toEqual(
      [],
    );
  });

  it('of ioredis stand only under redis folders, and in files named redis-*', () => {
    const allowed = /\/redis\/|\/redis-[\w-]+\.ts$/;
    expect(
      offences(sources.values(), (target, { path }) => target === 'ioredis' && !allowed.test(path)),
    ).toEqual([]);
  });

  it('of the hot path load no Prometheus', () => {
    const loaded = reached('gateway/src/stream/live/hub.ts');
    expect(loaded.has('gateway/src/stream/live/view.ts')).toBe(true);
    expect(loaded.get('prom-client')).toBeUndefined();
  });

  it('in the gateway go down: main, app, http, then stream, runs, llm and otlp', () => {
    const above = ['gateway/src/main.ts', 'gateway/src/app.ts', 'gateway/src/http/'];
    const upward = (level: number) => (target: string) =>
      above.slice(0, level).some((path) => target.startsWith(path));
    expect([
      ...['stream', 'runs', 'llm', 'otlp'].flatMap((name) =>
        offences(under(`gateway/src/${name}`), upward(3)),
      ),
      ...offences(under('gateway/src/http'), upward(2)),
    ]).toEqual([]);
  });

  it('in the page go down: main and app, panels, pictures, history, state, log, stream, regex', () => {
    // Lowest floor first. A file that stands on no floor, as main.ts and app.ts, may import from all of them.
    const floors = [
      ['regex/', 'lazy.ts'],
      ['stream/'],
      ['log/'],
      ['state/'],
      ['history/', 'cursor.ts'],
      ['pictures/'],
      ['panels/', 'charts/', 'runs/', 'fleet/', 'alerts/', 'severe/', 'screen/', 'keys.ts'],
    ];
    const floorOf = (path: string) => {
      const floor = floors.findIndex((names) =>
        names.some((name) => path.startsWith(`dashboard/src/${name}`)),
      );
      return floor < 0 ? floors.length : floor;
    };
    const upward = (target: string, { path }: Source) =>
      target.startsWith('dashboard/src/') && floorOf(target) > floorOf(path);
    expect(offences(under('dashboard/src'), upward)).toEqual([]);
  });

  it('make no circle, of types either', () => {
    const circles = [...sources.keys()].flatMap((path) => circleOf(path) ?? []);
    expect(circles).toEqual([]);
  });
});

describe('every source file', () => {
  const offenders = (wrong: (source: Source) => boolean) =>
    [...sources.values()].filter(wrong).map(({ path }) => path);

  it('opens with a comment that says its role', () => {
    expect(offenders(({ text }) => !/^(?:#!.*\n)?(?:\/\/|\/\*|--) ?\S/.test(text))).toEqual([]);
  });

  it(`has at most ${MAX_LINES} lines`, () => {
    const long = [...sources.values()]
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > MAX_LINES)
      .map(({ path, lines }) => `${path}: ${lines} lines`);
    expect(long).toEqual([]);
  });

  it('is named for what it is, in kebab case', () => {
    expect(offenders(({ path }) => /(?:^|\/)(?:utils?|helpers?|misc|common)(?:[./]|$)/.test(path))).toEqual(
      [],
    );
    expect(offenders(({ path }) => !/^[a-z0-9./-]+$/.test(path))).toEqual([]);
  });

  it('leaves the environment to config.ts, scripts and the tests’ own support', () => {
    const allowed = /(?:^|\/)config\.ts$|^scripts\/|^test-support\/|\/bench\//;
    expect(offenders(({ path, text }) => /\bprocess\.env\b/.test(text) && !allowed.test(path))).toEqual([]);
  });
});
