// `npm run bench`: starts all it needs, measures every scenario and prints one table. It is bounded: nothing begins after
// `--minutes`. `npm run bench -- fan-out gzip --quick`; `--help` lists the scenarios with their bars.

import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { openFilesLimit } from './process-figures.ts';
import { demand, judge, type Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';
import { type Figures, header, medianOf, row } from './table.ts';

const options = {
  quick: { type: 'boolean', default: false },
  rounds: { type: 'string', default: '3' },
  seconds: { type: 'string', default: '2' },
  scale: { type: 'string', default: '1' },
  minutes: { type: 'string', default: '25' },
  only: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const HELP = `npm run bench -- [scenario …] [options]

  --quick        one round of each instead of three
  --rounds N     rounds of each (3); the table has their medians
  --seconds S    length of one measurement (2)
  --only A,B     these designs only (gateway, classical, nchan, webdis, probe, ceiling, …)
  --scale F      a share of the viewers and channels, 0.01 to 1 (1)
  --minutes M    nothing new begins after this (25)

A name also selects those that begin with it and a dash.
`;

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130)); // takes all it started along

const { values, positionals } = parse();
const asked = SCENARIOS.filter(
  ({ name }) =>
    positionals.length === 0 || positionals.some((some) => name === some || name.startsWith(`${some}-`)),
);
const unknown = positionals.filter(
  (some) => !asked.some(({ name }) => name === some || name.startsWith(`${some}-`)),
);
if (values.help) {
  console.log(HELP);
  for (const { name, about, bars } of SCENARIOS) {
    console.log(`  ${name.padEnd(14)} ${about}`);
    for (const bar of bars) console.log(`  ${''.padEnd(14)}   bar: ${bar.says} ${demand(bar)}`);
  }
  process.exit(0);
}
if (unknown.length > 0)
  fail(`unknown: ${unknown.join(', ')}; known: ${SCENARIOS.map(({ name }) => name).join(', ')}`);

const rounds = values.quick ? 1 : number('rounds', 1, 20);
const seconds = number('seconds', 0.1, 10);
const scale = number('scale', 0.001, 1);
const began = performance.now();
const allowed = number('minutes', 0.1, 120) * 60_000;
const scaled = (count: number, least = 1) => Math.max(least, Math.round(count * scale));

const [major = ''] = /v=[\d.]+/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' })) ?? [];
console.log(
  `Node ${process.version}, Redis ${major.slice(2)}, ${cpus().length} cores (${cpus()[0]?.model.trim()}), ` +
    `${openFilesLimit()} open files; medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s\n`,
);
console.log(header());
let failed = false;
// Each scenario gets a share of the time by the number of designs that it measures, so that one that takes too long does not
// cost the last ones their first round.
const designsOf = (scenarios: readonly Scenario[]) =>
  scenarios.reduce((total, { designs }) => total + Object.keys(designs).length, 0);
for (const [i, scenario] of asked.entries())
  await play(scenario, began + (allowed * designsOf(asked.slice(0, i + 1))) / designsOf(asked));
process.exit(failed ? 1 : 0);

async function play({ name, designs, bars, remarks }: Scenario, share: number): Promise<void> {
  const chosen = Object.entries(designs).filter(
    ([design]) => !values.only || values.only.split(',').includes(design),
  );
  const measured = new Map<string, Figures[]>();
  const absent = new Set<string>();
  const errors: string[] = [];
  for (let i = 0; i < rounds && (i === 0 || performance.now() < share); i++) {
    const round: Record<string, Figures> = {};
    for (const [design, measure] of chosen) {
      if (absent.has(design) || performance.now() > began + allowed) continue;
      tellProgress(`${name}, ${design}, round ${i + 1} of ${rounds} …`);
      try {
        const figures = await measure({ seconds, scaled, round });
        if (!figures) {
          absent.add(design);
          continue;
        }
        round[design] = figures;
        measured.set(design, [...(measured.get(design) ?? []), figures]);
      } catch (error) {
        failed = true;
        errors.push(`${design}: ${(error as Error).message.split('\n')[0]}`);
      }
    }
  }
  tellProgress('');
  const medians = Object.fromEntries([...measured].map(([design, figures]) => [design, medianOf(figures)]));
  const judged = bars.map((bar) => judge(bar, medians)).join('; ');
  chosen.forEach(([design], i) => {
    const figures = medians[design] ?? { notes: [absent.has(design) ? 'not installed' : 'not measured'] };
    const failures = errors
      .filter((error) => error.startsWith(`${design}:`))
      .map((error) => `failed: ${error}`);
    const all = {
      ...figures,
      notes: [...((medians[design] && remarks?.(figures)) || []), ...(figures.notes ?? []), ...failures],
    };
    console.log(row(name, design, measured.get(design)?.length ?? 0, all, i === 0 ? judged : ''));
  });
}

/** On a terminal, says what is measured now, on a line that the next message overwrites. */
function tellProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function parse() {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return fail((error as Error).message);
  }
}

function number(name: 'rounds' | 'seconds' | 'scale' | 'minutes', least: number, most: number): number {
  const value = Number(values[name]);
  if (value >= least && value <= most) return value;
  return fail(`--${name}: a number from ${least} to ${most}`);
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
