// The gateway as a process: what it loads, and what its own lines say, with an endpoint for spans and without.

import { afterEach, expect, it } from 'vitest';
import { healthy, type RunningProcess, startProcess } from '../../../test-support/process.ts';
import { freePort } from '../../../test-support/redis.ts';
import { ask, opened, openModels, spans } from './traced-gateway.ts';

/** How long a program may take to start on a busy machine. */
const START_MS = 90_000;

/** Says on stderr which packages of OpenTelemetry are loaded. */
const WATCH = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({
    load(url, context, next) {
      const [, name] = /node_modules\\/(@opentelemetry\\/[\\w-]+)/.exec(url) ?? [];
      if (name) process.stderr.write('loaded ' + name + '\\n');
      return next(url, context);
    },
  });`)}`;

let gateway: RunningProcess | undefined;
afterEach(() => gateway?.stop());

async function start(env: Record<string, string>) {
  const port = await freePort();
  gateway = startProcess(['--import', WATCH, 'gateway/src/main.ts'], {
    env: {
      PORT: `${port}`,
      PRODUCTION: 'true',
      LLM_RETRIES: '1',
      ...(await openModels('sim-503')).env,
      ...env,
    },
  });
  const url = `http://127.0.0.1:${port}`;
  await healthy(`${url}/readyz`, START_MS);
  return { url, process: gateway };
}

const linesOf = ({ stderr }: RunningProcess) =>
  stderr.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));

const repeats = (lines: Record<string, unknown>[]) =>
  lines.filter(({ msg }) => msg === 'model call repeated');

it(
  'nothing of OpenTelemetry is loaded without an endpoint, and no line names a trace',
  async () => {
    const { url, process } = await start({});
    expect(await ask({ url }, 'm1', { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` })).toContain(
      'no_answer',
    );
    await process.stop();
    // The library of metrics brings the API, which does nothing by itself.
    expect(process.stderr).not.toMatch(/loaded @opentelemetry\/(?!api$)/m);
    const lines = linesOf(process);
    expect(repeats(lines)).toHaveLength(2);
    expect(lines.filter((line) => 'trace_id' in line)).toEqual([]);
  },
  2 * START_MS,
);

it(
  'with an endpoint it is loaded, and lines written for a run name its trace and the span',
  async () => {
    const collector = await opened();
    const { url, process } = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    expect(await ask({ url }, 'm1')).toContain('no_answer');
    // The last spans are sent before the process ends.
    await process.stop();
    expect(process.stderr).toContain('loaded @opentelemetry/sdk-trace');
    const all = await spans(collector, 7);
    const lanes = all.filter(({ attrs }) => attrs?.role === 'task');
    const lines = linesOf(process);
    expect(
      repeats(lines)
        .map(({ trace_id, span_id }) => [trace_id, span_id])
        .sort(),
    ).toEqual(lanes.map(({ run, attrs }) => [run, attrs?.span_id]).sort());
    const others = lines.filter(({ msg }) => /listening|stopping/.test(msg));
    expect(others.length).toBeGreaterThan(1);
    expect(others.filter((line) => 'trace_id' in line)).toEqual([]);
  },
  2 * START_MS,
);
