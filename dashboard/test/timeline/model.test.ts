import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EntryRow } from '../../src/stream/row.ts';
import { MAX_ENTRIES, MAX_SPANS, type Picture, RunModel } from '../../src/timeline/model.ts';
import { type Span, spansIn } from '../../src/timeline/span.ts';
import { figureOf } from '../../src/timeline/words.ts';
import { entry } from '../rows.ts';

const START = 1_800_000_000_000;
let n = 0;

/** An entry written `ms` after the start. */
function at(
  ms: number,
  event: string,
  attrs: Record<string, unknown> = {},
  fields: Record<string, unknown> = {},
): EntryRow {
  return entry({
    id: `${START + ms}-${++n}`,
    time: START + ms,
    source: 'gpu-1',
    run: 'r',
    event,
    attrs,
    ...fields,
  });
}

function pictureOf(entries: readonly EntryRow[], now = 60_000): Picture {
  const model = new RunModel('r');
  for (const row of entries) model.count(row);
  return model.picture(START + now);
}

function find(picture: Picture, name: string): Span {
  const span = [...spansIn(picture.root)].find((each) => each.name === name);
  if (!span)
    throw new Error(
      `no span ${name} among ${[...spansIn(picture.root)].map((each) => each.name).join(', ')}`,
    );
  return span;
}

/** The parts of a span, with times after the start. */
function parts(picture: Picture, name: string): [string, number, number][] {
  return find(picture, name).parts.map(({ kind, from, to }) => [kind, from - START, to - START]);
}

/** The tree as names. */
function outline(span: Span): unknown {
  return span.children.length === 0 ? span.name : [span.name, span.children.map(outline)];
}

/** A run of two lanes and a combiner, the first with a tool, and the second slow to its first token. */
function agentRun(): EntryRow[] {
  const generation = (lane: string, queued: number, started: number, first: number, end: number) => [
    at(queued, 'request.queued', { lane }),
    at(started, 'generation.started', { lane, 'gen_ai.request.model': 'm' }),
    at(first, 'generation.delta', { lane, tokens: 3 }),
    at(end - 1, 'generation.delta', { lane, tokens: 4 }),
    at(end, 'generation.finished', {
      lane,
      'gen_ai.usage.input_tokens': 100,
      'gen_ai.usage.output_tokens': 7,
    }),
  ];
  return [
    at(0, 'run.started'),
    ...generation('plan', 0, 100, 300, 1_000),
    at(1_000, 'agent.planned', { 'gen_ai.agent.name': 'orchestrator' }),
    at(1_000, 'tool.called', { lane: 'llm-1', 'gen_ai.tool.name': 'sql', 'gen_ai.tool.call.id': 'c1' }),
    at(1_300, 'tool.returned', {
      lane: 'llm-1',
      'gen_ai.tool.name': 'sql',
      'gen_ai.tool.call.id': 'c1',
      duration_s: 0.3,
    }),
    ...generation('llm-1', 1_300, 1_400, 1_600, 2_500),
    ...generation('llm-2', 1_000, 1_100, 4_200, 5_000),
    at(5_000, 'agent.joined', { 'gen_ai.agent.name': 'orchestrator', lanes: 2 }),
    ...generation('combine', 5_000, 5_050, 5_100, 6_000),
    at(6_000, 'run.finished', { duration_s: 6 }),
  ];
}

describe('a run of lanes', () => {
  it('tells the time in the queue, to the first token and of streaming apart', () => {
    expect(parts(pictureOf(agentRun()), 'llm-2')).toEqual([
      ['queue', 1_000, 1_100],
      ['first', 1_100, 4_200],
      ['stream', 4_200, 5_000],
    ]);
  });

  it('has its tools within their lanes, and the steps of its agent where they happened', () => {
    expect(outline(pictureOf(agentRun()).root)).toEqual([
      'r',
      ['plan', 'orchestrator planned', ['llm-1', ['sql']], 'llm-2', 'orchestrator joined', 'combine'],
    ]);
  });

  it('has the path that its end waited for', () => {
    const { critical } = pictureOf(agentRun());
    expect(critical.map(({ key, from, to }) => [key, from - START, to - START])).toEqual([
      ['lane plan', 0, 1_000],
      ['lane llm-2', 1_000, 5_000],
      ['lane combine', 5_000, 6_000],
    ]);
  });

  it('has the sums of its generations as its totals', () => {
    const { totals, ending, isRunning } = pictureOf(agentRun());
    expect(totals).toMatchObject({
      lanes: 4,
      inputTokens: 400,
      outputTokens: 28,
      isEstimated: false,
      errors: 0,
    });
    expect(totals.byKind).toMatchObject({
      queue: 100 + 100 + 100 + 50,
      tool: 300,
      first: 200 + 200 + 3_100 + 50,
    });
    expect([ending, isRunning]).toEqual(['finished', false]);
  });

  it('shows lanes that are planned and have not begun, without a time', () => {
    const lanes = [{ lane: 'llm-1' }, { lane: 'sum' }];
    const picture = pictureOf([
      at(0, 'run.started', { lanes }),
      at(10, 'generation.started', { lane: 'llm-1' }),
    ]);
    expect(find(picture, 'sum')).toMatchObject({ state: 'waiting', parts: [], from: undefined });
    expect(find(picture, 'llm-1').state).toBe('running');
  });

  it('has what somebody has ended as stopped, the run too, and counts no error', () => {
    const cancelled = { 'error.type': 'cancelled' };
    const picture = pictureOf([
      at(0, 'run.started', { lanes: [{ lane: 'llm-1' }] }),
      at(10, 'generation.started', { lane: 'llm-1' }),
      at(500, 'generation.failed', { lane: 'llm-1', ...cancelled }),
      at(510, 'run.cancelled', cancelled),
    ]);
    expect(find(picture, 'llm-1')).toMatchObject({ state: 'stopped', error: '' });
    expect(picture.root).toMatchObject({ state: 'stopped', error: '' });
    expect(picture.totals.errors).toBe(0);
    expect(figureOf(find(picture, 'llm-1'))).toContain('■ stopped');
  });

  it('keeps each attempt, and the lane has not failed when the last one succeeds', () => {
    const attempt = (ms: number, number: number, event: string, attrs = {}) =>
      at(ms, event, { lane: 'llm-1', ...(number > 1 && { attempt: number }), ...attrs });
    const picture = pictureOf([
      attempt(0, 1, 'generation.started'),
      attempt(500, 1, 'generation.failed', { 'error.type': 'out_of_memory' }),
      attempt(500, 2, 'log', {}),
      attempt(1_500, 2, 'generation.started'),
      attempt(2_000, 2, 'generation.finished'),
    ]);
    expect(outline(picture.root)).toEqual(['r', [['llm-1', ['attempt 1', 'attempt 2']]]]);
    expect(find(picture, 'llm-1').state).toBe('finished');
    expect(find(picture, 'attempt 1')).toMatchObject({ state: 'failed', error: 'out_of_memory' });
    expect(picture.totals).toMatchObject({ errors: 1, retries: 1, lanes: 1 });
  });

  it('has the tools of a step of an agent within that step, and what waits for approval apart', () => {
    const lane = 'agent';
    const call = { lane, step: 1, 'gen_ai.tool.name': 'mail', 'gen_ai.tool.call.id': 'c' };
    const picture = pictureOf([
      at(0, 'generation.started', { lane, step: 1 }),
      at(100, 'generation.finished', { lane, step: 1 }),
      at(100, 'tool.asked', call),
      at(700, 'tool.decided', { ...call, approved: true }),
      at(700, 'tool.called', call),
      at(900, 'tool.returned', { ...call, ms: 200 }),
      at(900, 'generation.started', { lane, step: 2 }),
    ]);
    expect(outline(picture.root)).toEqual(['r', [['agent', [['step 1', ['mail']], 'step 2']]]]);
    expect(parts(picture, 'mail')).toEqual([
      ['approval', 100, 700],
      ['tool', 700, 900],
    ]);
  });

  it('gives a line of trouble to its lane, else to the run', () => {
    const picture = pictureOf([
      ...agentRun(),
      at(2_000, 'x', { lane: 'llm-1' }, { level: 'warn' }),
      at(2_000, 'y', {}, { level: 'error' }),
      at(2_000, 'z', {}, { level: 'info' }),
    ]);
    expect(find(picture, 'llm-1').warnings.map(({ event }) => event)).toEqual(['x']);
    expect(picture.root.warnings.map(({ event }) => event)).toEqual(['y']);
  });
});

describe('what is not logged', () => {
  it('is not guessed: a generation without tokens in between is one part', () => {
    const end = { lane: 'a', 'gen_ai.usage.output_tokens': 9 };
    expect(
      parts(
        pictureOf([at(0, 'generation.started', { lane: 'a' }), at(900, 'generation.finished', end)]),
        'a',
      ),
    ).toEqual([['generation', 0, 900]]);
  });

  it('is taken from the end, where that tells how long all took', () => {
    const end = { lane: 'a', duration_s: 2, 'gen_ai.response.time_to_first_chunk': 0.5 };
    expect(parts(pictureOf([at(3_000, 'generation.finished', end)]), 'a')).toEqual([
      ['first', 1_000, 1_500],
      ['stream', 1_500, 3_000],
    ]);
  });

  it('is no end: the work of a run that ended, or fell silent, has an unknown one', () => {
    const begun = [at(0, 'run.started'), at(0, 'generation.started', { lane: 'a' })];
    expect(find(pictureOf(begun, 5_000), 'a')).toMatchObject({ state: 'running', to: START + 5_000 });
    expect(find(pictureOf([...begun, at(2_000, 'run.lost')], 5_000), 'a')).toMatchObject({
      state: 'unknown',
      to: START + 2_000,
    });
    const forgotten = pictureOf(begun, 3_600_000);
    expect(find(forgotten, 'a').state).toBe('unknown');
    expect(forgotten).toMatchObject({ isRunning: false, ending: '' });
  });

  it('is not how long a tool takes, where no run is announced and nobody says that it has returned', () => {
    const call = { lane: 'call', 'gen_ai.tool.name': 'sql', 'gen_ai.tool.call.id': 'c' };
    const picture = pictureOf([
      at(0, 'generation.started', { lane: 'call' }),
      at(500, 'tool.called', call),
      at(500, 'generation.finished', { lane: 'call' }),
    ]);
    expect(find(picture, 'sql')).toMatchObject({ state: 'unknown', from: START + 500, to: START + 500 });
    expect(picture.isRunning).toBe(false);
  });

  it('is no other generation: words that are stamped after the end which follows them', () => {
    const picture = pictureOf([
      at(0, 'generation.started', { lane: 'a' }),
      at(905, 'generation.delta', { lane: 'a' }),
      at(900, 'generation.finished', { lane: 'a' }),
    ]);
    expect(picture.totals.spans).toBe(1);
  });

  it('is not the beginning of a single request, which no run announces', () => {
    const picture = pictureOf(
      [at(0, 'request.queued'), at(50, 'generation.started'), at(900, 'generation.finished')],
      9_000,
    );
    expect(picture).toMatchObject({ isBegun: false, isRunning: false });
    expect([picture.root.from, picture.root.to]).toEqual([START, START + 900]);
    expect(picture.root.state).toBe('finished');
  });
});

describe('what cannot be', () => {
  it('a line of a host whose clock was never set, or is far ahead, stands where the log got it', () => {
    const strays = [0, Date.UTC(1971), Date.UTC(2096)].map((time) => at(500, 'run.started', {}, { time }));
    const far = at(
      2_000,
      'tool.called',
      { tool: 'x', start: '1970-01-01T00:00:00Z' },
      { time: Date.UTC(2096) },
    );
    const [alone, beside] = [pictureOf(agentRun()).root, pictureOf([...strays, far, ...agentRun()]).root];
    expect([beside.from, beside.to]).toEqual([alone.from, alone.to]);
  });

  it('a run that is played back from an archive keeps its times', () => {
    const old = START - 400 * 86_400_000;
    const played = agentRun().map((row) => entry({ ...row.json(), time: row.time - START + old }));
    const [now, then] = [pictureOf(agentRun()).root, pictureOf(played).root];
    expect([then.from, then.to]).toEqual([now.from, now.to].map((time) => (time ?? 0) - START + old));
  });
});

describe('what is told on two channels', () => {
  it('is one generation, with its tokens once', () => {
    const told = (ms: number, event: string, attrs: Record<string, unknown>) =>
      ['texts', 'all'].map((channel, i) => at(ms + i, event, { lane: 'a', ...attrs }, { channel }));
    const picture = pictureOf([
      ...told(0, 'generation.started', {}),
      at(500, 'generation.delta', { lane: 'a' }, { channel: 'texts' }),
      ...told(1_000, 'generation.finished', { 'gen_ai.usage.output_tokens': 100 }),
    ]);
    expect(picture.totals).toMatchObject({ spans: 1, outputTokens: 100 });
    expect(parts(picture, 'a')).toEqual([
      ['first', 0, 500],
      ['stream', 500, 1_000],
    ]);
  });
});

describe('a run whose beginning is missing', () => {
  it('is known by an end, or by what goes on', () => {
    const [begin, ...rest] = agentRun();
    expect(begin?.event).toBe('run.started');
    expect(pictureOf(rest).lacksBeginning).toBe(true);
    expect(pictureOf([at(0, 'generation.delta', { lane: 'a' })]).lacksBeginning).toBe(true);
    expect(pictureOf(agentRun()).lacksBeginning).toBe(false);
  });

  it('is not a single request, or a span that says how long it took', () => {
    const request = [at(0, 'generation.started'), at(1, 'generation.delta'), at(2, 'generation.finished')];
    expect(pictureOf(request).lacksBeginning).toBe(false);
    const span = at(900, 'generation.finished', { span_id: 's', duration_s: 0.5 });
    expect(pictureOf([span]).lacksBeginning).toBe(false);
  });
});

describe('a trace', () => {
  const span = (
    ms: number,
    id: string,
    parent: string | undefined,
    seconds: number,
    event = 'span.finished',
    attrs = {},
  ) =>
    at(ms, event, {
      span: `span ${id}`,
      span_id: id,
      ...(parent !== undefined && { parent_span_id: parent }),
      start: new Date(START + ms - seconds * 1_000).toISOString(),
      duration_s: seconds,
      ...attrs,
    });

  it('is a tree by the ids of spans, though the children come first', () => {
    const picture = pictureOf([
      span(900, 'c', 'b', 0.5, 'tool.returned'),
      span(950, 'b', 'a', 0.9, 'agent.finished'),
      span(1_000, 'a', undefined, 1, 'run.finished'),
    ]);
    expect(outline(picture.root)).toEqual(['r', [['span a', [['span b', ['span c']]]]]]);
    expect(find(picture, 'span c')).toMatchObject({ kind: 'tool', from: START + 400, to: START + 900 });
    expect(picture.ending).toBe('finished');
  });

  it('has a row for a parent that has not come, which it keeps when it comes', () => {
    const before = pictureOf([span(900, 'c', 'b', 0.5)]);
    expect(outline(before.root)).toEqual(['r', [['not logged yet', ['span c']]]]);
    const after = pictureOf([span(900, 'c', 'b', 0.5), span(950, 'b', undefined, 0.9)]);
    expect(find(before, 'not logged yet').key).toBe(find(after, 'span b').key);
  });

  it('tells the parts of a model call apart by what it says of its first token', () => {
    const attrs = { lane: 'chat', 'gen_ai.response.time_to_first_chunk': 0.2 };
    expect(
      parts(pictureOf([span(1_000, 'a', undefined, 0.8, 'generation.finished', attrs)]), 'chat'),
    ).toEqual([
      ['first', 200, 400],
      ['stream', 400, 1_000],
    ]);
  });

  it('that goes in a circle loses no span', () => {
    const picture = pictureOf([
      span(1, 'a', 'b', 0),
      span(2, 'b', 'a', 0),
      span(3, 'c', 'a', 0),
      span(4, 'd', 'd', 0),
    ]);
    expect([...spansIn(picture.root)].map(({ name }) => name).sort()).toEqual([
      'r',
      'span a',
      'span b',
      'span c',
      'span d',
    ]);
  });

  it('as deep as it may be is no trouble', () => {
    const deep = Array.from({ length: MAX_SPANS }, (_, i) =>
      span(i, `s${i}`, i === 0 ? undefined : `s${i - 1}`, 0),
    );
    expect(pictureOf(deep).totals.spans).toBe(MAX_SPANS);
  });
});

const lanes = fc.constantFrom('a', 'b', '');
const anyEntry = fc
  .record({
    ms: fc.integer({ min: 0, max: 5_000 }),
    event: fc.constantFrom(
      ...[
        'run.started',
        'run.finished',
        'request.queued',
        'generation.started',
        'generation.delta',
        'generation.finished',
      ],
      ...[
        'generation.failed',
        'tool.called',
        'tool.returned',
        'tool.asked',
        'agent.planned',
        'span.finished',
        'agent.finished',
        'x',
      ],
    ),
    lane: lanes,
    attempt: fc.constantFrom(undefined, 2),
    step: fc.constantFrom(undefined, 1, 2),
    span: fc.constantFrom(undefined, undefined, 's1', 's2', 's3'),
    parent: fc.constantFrom(undefined, 's1', 's2', 's3', 's4'),
    call: fc.constantFrom(undefined, 'c1', 'c2'),
    seconds: fc.option(fc.double({ min: 0, max: 5, noNaN: true }), { nil: undefined }),
    level: fc.constantFrom('info', 'warn', 'error'),
  })
  .map(({ ms, event, lane, attempt, step, span, parent, call, seconds, level }) =>
    at(
      ms,
      event,
      {
        ...{ lane, attempt, step, span_id: span, parent_span_id: parent, 'gen_ai.tool.call.id': call },
        ...{ duration_s: seconds, tokens: 2, lanes: [{ lane: 'a' }, { lane: 'z' }] },
      },
      { level },
    ),
  );

describe('the same entries', () => {
  it('give the same picture in any order of arrival, once or twice, whatever was drawn in between', () => {
    fc.assert(
      fc.property(
        fc.array(anyEntry, { maxLength: 40 }),
        fc.infiniteStream(fc.nat(1_000)),
        fc.nat(40),
        (entries, order, early) => {
          const whole = pictureOf(entries, 9_000);
          const shuffled = entries
            .map((row) => ({ row, place: order.next().value }))
            .sort((a, b) => a.place - b.place)
            .map(({ row }) => row);
          const model = new RunModel('r');
          for (const row of shuffled.slice(0, early)) model.count(row);
          model.picture(START + 4_000);
          for (const row of [...shuffled.slice(early), ...shuffled.slice(0, early)]) model.count(row);
          expect(model.picture(START + 9_000)).toEqual(whole);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('never make a time that is none, a part that ends before it begins, or a path that overlaps', () => {
    const hostile = fc
      .tuple(
        anyEntry,
        fc.dictionary(
          fc.constantFrom('duration_s', 'start', 'lanes', 'step', 'attempt', 'ms', 'span_id'),
          fc.anything(),
        ),
      )
      .map(([row, attrs]) => {
        const json = row.json();
        return entry({ ...json, attrs: { ...(json.attrs as object), ...JSON.parse(JSON.stringify(attrs)) } });
      });
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 30 }), fc.integer({ min: 0, max: 1e8 }), (entries, now) => {
        const picture = pictureOf(entries, now);
        for (const span of spansIn(picture.root)) {
          for (const { from, to } of span.parts) expect(from <= to).toBe(true);
          expect(span.from === undefined || (Number.isFinite(span.from) && span.from <= (span.to ?? 0))).toBe(
            true,
          );
        }
        const path = picture.critical;
        for (const [i, { from, to }] of path.entries()) {
          expect(from < to).toBe(true);
          expect(from >= (path[i - 1]?.to ?? 0)).toBe(true);
        }
      }),
    );
  });
});

describe('bounds', () => {
  it(`keeps ${MAX_ENTRIES} entries, and counts the others`, () => {
    const model = new RunModel('r');
    for (let i = 0; i < MAX_ENTRIES + 5; i++) model.count(at(i, 'generation.delta', { lane: 'a' }));
    expect([model.entries, model.dropped]).toEqual([MAX_ENTRIES, 5]);
  });

  it(`keeps ${MAX_SPANS} spans, and counts the entries of others`, () => {
    const model = new RunModel('r');
    for (let i = 0; i < MAX_SPANS + 5; i++) model.count(at(i, 'generation.started', { lane: `lane ${i}` }));
    expect(model.dropped).toBe(5);
    expect(model.picture(START + 9_000).totals.spans).toBe(MAX_SPANS);
  });
});
