import { verifyEvents } from '@ag-ui/client';
import { EventSchemas } from '@ag-ui/core/schemas';
import type { Entry } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import fc from 'fast-check';
import { from, lastValueFrom, toArray } from 'rxjs';
import { expect, it } from 'vitest';
import { type AgUiEvent, AgUiStream } from '../../src/agents/ag-ui-stream.ts';

const event = fc.constantFrom(...Object.values(EVENTS), 'unknown', undefined);
const attrs = fc.record(
  {
    role: fc.constant('agent'),
    kind: fc.constantFrom('reasoning', 'text'),
    'gen_ai.tool.name': fc.string(),
    'gen_ai.tool.call.id': fc.constantFrom('call-1', 'call-2'),
    arguments: fc.jsonValue(),
    approval: fc.constantFrom('call-1', 'call-2'),
    expires: fc.oneof(fc.nat(), fc.string(), fc.constantFrom(Number.NaN, 1e300)),
    input_tokens: fc.oneof(fc.nat(), fc.double(), fc.string()),
    'error.type': fc.constantFrom('tool_denied', 'tool_failed', 'approval_expired'),
    cut: fc.constant(['a']),
  },
  { requiredKeys: [] },
);
const entry = fc
  .record({ event, attrs, msg: fc.string() })
  .map((some): Entry => ({ time: 1, channel: 'runs:m', source: 's', level: 'info', ...some }) as Entry);
const entries = fc.array(entry, { maxLength: 30 });

const fresh = () => new AgUiStream({ id: 'm', threadId: 't', runId: 'r' });
const asJson = (events: readonly AgUiEvent[]) => JSON.parse(JSON.stringify(events)) as AgUiEvent[];
/** Fails as the published client does, with an event that is not valid or not at its place. */
async function checked(events: readonly AgUiEvent[]): Promise<void> {
  for (const one of events)
    expect(EventSchemas.safeParse(one), JSON.stringify(one)).toMatchObject({ success: true });
  const seen = verifyEvents()(from(events as never[])).pipe(toArray());
  expect(await lastValueFrom(seen)).toHaveLength(events.length);
}

it('any entries become a run that the published client takes for valid, and that may end anywhere', async () => {
  await fc.assert(
    fc.asyncProperty(entries, entry, async (all, asked) => {
      const stream = fresh();
      const events = asJson(all.flatMap((one) => stream.take(one)));
      await checked(events);
      if (/RUN_(FINISHED|ERROR)/.test(events.at(-1)?.type ?? '')) return;
      await checked([...events, ...asJson(stream.trimmed()), ...asJson(stream.pause(asked))]);
    }),
  );
});

it('a run that goes on after consent is valid wherever it was cut, and uses no id of a message again', async () => {
  const made = (events: readonly AgUiEvent[]) =>
    events.flatMap(({ type, messageId }) => (/MESSAGE_START$/.test(type) ? [messageId] : []));
  await fc.assert(
    fc.asyncProperty(entries, entries, async (before, after) => {
      const stream = fresh();
      const first = asJson(before.flatMap((one) => stream.take(one)));
      const second = asJson([...stream.goOn(), ...after.flatMap((one) => stream.take(one))]);
      await checked(second);
      expect(made(second).filter((id) => made(first).includes(id))).toEqual([]);
    }),
  );
});

it('the same entries become the same events, whenever they are read', () => {
  fc.assert(
    fc.property(entries, (all) => {
      const read = () => {
        const stream = fresh();
        return all.map((one) => stream.take(one));
      };
      expect(read()).toEqual(read());
    }),
  );
});

it('what turns out to be reasoning is said again as such, and the messages that held it are named', () => {
  const stream = fresh();
  const say = (name: string, msg = '') => stream.take({ event: name, msg, attrs: {} } as Entry);
  say(EVENTS.runStarted);
  say(EVENTS.generationStarted);
  const [opened] = say(EVENTS.generationDelta, 'Hm.');
  const events = say(EVENTS.generationRetracted);
  expect(events).toContainEqual({
    type: 'CUSTOM',
    name: 'retracted',
    value: { messageIds: [opened?.messageId] },
  });
  expect(events.at(-1)).toMatchObject({ type: 'REASONING_MESSAGE_CONTENT', delta: 'Hm.' });
});
