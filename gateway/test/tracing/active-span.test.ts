// Which span a line of the log names.

import { setTimeout as later } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { idsOfLine, within } from '../../src/tracing/active-span.ts';
import { OtelTracer } from '../../src/tracing/otel-tracer.ts';

const open = () =>
  new OtelTracer({
    url: 'http://127.0.0.1:9/v1/traces',
    service: 'llm-streamer',
    instance: 'gw-test',
    observer: { onSpans: () => undefined, onUndelivered: () => undefined, onPartlyTaken: () => undefined },
  });

it('a line names the innermost span whose work is being done, across awaits, and none outside', async () => {
  const outer = open().start({ name: 'run', kind: 'internal', attributes: {} });
  const inner = outer.child({ name: 'lane', kind: 'internal', attributes: {} });
  const ids = ({ traceId, spanId }: typeof outer) => ({ trace_id: traceId, span_id: spanId });
  await within(outer, async () => {
    await later(1);
    expect(idsOfLine()).toEqual(ids(outer));
    await within(inner, async () => {
      await later(1);
      expect(idsOfLine()).toEqual(ids(inner));
    });
    expect(idsOfLine()).toEqual(ids(outer));
  });
  expect(idsOfLine()).toEqual({});
  expect(within(undefined, idsOfLine)).toEqual({});
});

it('a timer that outlives its span writes lines that name none', async () => {
  const span = open().start({ name: 'run', kind: 'internal', attributes: {} });
  const late = within(span, () => later(5).then(idsOfLine));
  span.end();
  expect(await late).toEqual({});
});
