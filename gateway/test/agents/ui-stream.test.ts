import type { Entry } from '@llm-streamer/shared/entry.ts';
import { EVENTS } from '@llm-streamer/shared/events.ts';
import { uiMessageChunkSchema } from 'ai';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { UiStream } from '../../src/agents/ui-stream.ts';

const event = fc.constantFrom(...Object.values(EVENTS), 'unknown', undefined);
const attrs = fc.record(
  {
    role: fc.constant('agent'),
    kind: fc.constantFrom('reasoning', 'text'),
    'gen_ai.tool.name': fc.string(),
    'gen_ai.tool.call.id': fc.constantFrom('call-1', 'call-2'),
    arguments: fc.jsonValue(),
    approval: fc.constantFrom('call-1', 'call-2'),
    approved: fc.boolean(),
    reason: fc.string(),
    'error.type': fc.constantFrom('tool_denied', 'tool_failed', 'approval_expired'),
    cut: fc.constant(['a']),
  },
  { requiredKeys: [] },
);
const entry = fc
  .record({ event, attrs, msg: fc.string() })
  .map((some): Entry => ({ time: 1, channel: 'runs:m', source: 's', level: 'info', ...some }) as Entry);

it('any entries become valid parts, in blocks that are opened before they are used and closed', async () => {
  const schema = uiMessageChunkSchema();
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 30 }), async (entries) => {
      const stream = new UiStream('a-m');
      const open = new Set<unknown>();
      for (const part of [...entries.flatMap((one) => stream.take(one)), ...stream.lost()]) {
        const checked = await schema.validate?.(JSON.parse(JSON.stringify(part)));
        expect(checked, JSON.stringify(part)).toMatchObject({ success: true });
        if (/-start$/.test(part.type) && part.id !== undefined) open.add(part.id);
        if (/^(text|reasoning)-(delta|end)$/.test(part.type)) expect(open).toContain(part.id);
        if (/^(text|reasoning)-end$/.test(part.type)) open.delete(part.id);
      }
      expect([...open]).toEqual([]);
    }),
  );
});

it('the same entries become the same parts, whenever they are read', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 30 }), (entries) => {
      const read = () => {
        const stream = new UiStream('a-m');
        return entries.map((one) => stream.take(one));
      };
      expect(read()).toEqual(read());
    }),
  );
});
