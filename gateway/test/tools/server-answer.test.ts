import fc from 'fast-check';
import { expect, it } from 'vitest';
import { serverAnswer } from '../../src/tools/server-answer.ts';

const ANSWER = JSON.stringify({ jsonrpc: '2.0', id: 7, result: { content: [] } });

/** A response whose body comes in pieces of these lengths, again and again. */
function response(text: string, type: string, lengths: number[] = [text.length + 1], status = 200): Response {
  const bytes = Buffer.from(text);
  const pieces = function* () {
    for (let [at, i] = [0, 0]; at < bytes.length; i++) {
      const length = lengths[i % lengths.length] as number;
      yield bytes.subarray(at, at + length);
      at += length;
    }
  };
  return new Response(ReadableStream.from(pieces()), { status, headers: { 'content-type': type } });
}

const message = fc.oneof(
  fc.json(),
  fc.string().map((text) => text.replace(/[\r\n]/g, ' ')),
  fc
    .record({ jsonrpc: fc.constant('2.0'), id: fc.constantFrom(7, 8, '7', null), method: fc.string() })
    .map((one) => JSON.stringify(one)),
);

it('whatever a server says before its answer, and however the bytes are cut, the answer is found', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { maxLength: 20 }),
      fc.constantFrom('\n', '\r\n'),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      async (before, end, lengths) => {
        const text = [...before, ANSWER].map((data) => `data: ${data}${end}${end}`).join('');
        const answer = await serverAnswer(response(text, 'text/event-stream', lengths), 7);
        expect(answer.headers.get('content-type')).toBe('application/json');
        expect(await answer.text()).toBe(ANSWER);
      },
    ),
  );
});

it.each([
  ['to a notification', ANSWER, 'application/json', undefined, 200],
  ['that is a page', '<h1>no</h1>', 'text/html', 7, 200],
  ['of a failure that is no JSON by its type', `[${'{},'.repeat(80_000)}{}]`, 'text/plain', 7, 500],
])('of an answer %s nothing is read', async (_, text, type, id, status) => {
  const given = response(text, type, [10], status);
  const answer = await serverAnswer(given, id);
  expect([answer.status, await answer.text()]).toEqual([status, '']);
});

it.each([200, 400])('an answer of too many values is refused, whatever its status: %i', async (status) => {
  const long = `{"id":7,"error":{"data":[${'0,'.repeat(10_000)}0]}}`;
  const given = response(long, 'application/json', [1_000], status);
  await expect(serverAnswer(given, 7)).rejects.toMatchObject({ code: 'tool_too_large' });
});

it.each([
  ['as it is', (text: string) => JSON.stringify(text)],
  ['with `/` escaped, as PHP does', (text: string) => JSON.stringify(text).replaceAll('/', '\\/')],
  [
    'in escapes alone',
    (text: string) =>
      `"${[...text].map((unit) => `\\u${unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`).join('')}"`,
  ],
])('a secret that a server repeats is hidden, %s', async (_, write) => {
  const secret = 'kO/9+z"\\qU3fWx==';
  const text = `{"id":7,"error":{"message":${write(secret)}}}`;
  const answer = await serverAnswer(response(text, 'application/json'), 7, secret);
  expect(await answer.json()).toEqual({ id: 7, error: { message: '[secret]' } });
});
