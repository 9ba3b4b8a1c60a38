// Publishing over HTTP: which answers of a gateway are final, which lead to a repeat, and that a repeat loses and doubles nothing.

import type { Draft } from '@llm-streamer/shared/entry.ts';
import { draft } from '@llm-streamer/shared/entry.ts';
import { BrokerUnavailable, CodedError } from '@llm-streamer/shared/errors.ts';
import { Publisher } from '@llm-streamer/shared/publish/publisher.ts';
import { describe, expect, it } from 'vitest';
import { HttpTransport } from '../src/http-transport.ts';
import { Receiver } from './receiver.ts';

const stamp = { writer: 'ab'.repeat(16), seq: 7 };

function entry(msg: string): Draft {
  return draft({ time: 1, channel: 'logs', source: 'test', level: 'info', msg });
}

function problem(code: string, detail: string, field?: string): string {
  return JSON.stringify({ type: 'about:blank', code, detail, field });
}

describe('HttpTransport', () => {
  it('posts a batch as NDJSON with its stamp and returns the ids', async () => {
    await using receiver = await Receiver.start();
    const transport = new HttpTransport(receiver.url);
    const ids = await transport.publish([entry('one'), entry('two\nlines')], stamp);
    expect(ids).toEqual(['1-1', '1-2']);
    expect(receiver.messages).toEqual(['one', 'two\nlines']);
    expect(receiver.requests[0]).toMatchObject({
      method: 'POST',
      path: '/api/publish',
      lines: 2,
      headers: {
        'content-type': 'application/x-ndjson',
        'publisher-id': stamp.writer,
        'publisher-seq': '7',
      },
    });
    expect(await transport.publish([entry('one'), entry('two\nlines')], stamp)).toEqual([null, null]);
  });

  it.each(['/llm', '/llm/', '/llm//'])('keeps the base path %s of the gateway', async (base) => {
    await using receiver = await Receiver.start();
    await new HttpTransport(receiver.url + base).publish([entry('x')], stamp);
    expect(receiver.requests[0]?.path).toBe('/llm/api/publish');
  });

  it('takes a 4xx as a refusal, with its code and field', async () => {
    await using receiver = await Receiver.start();
    const body = problem('channel_reserved', 'channel runs:x is reserved', 'channel');
    receiver.answers.push({ status: 422, body }, { status: 404, body: '<html>' }, { status: 301, body: '' });
    const transport = new HttpTransport(receiver.url);
    const refusal = await transport.publish([entry('x')], stamp).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(CodedError);
    expect(refusal).toMatchObject({ code: 'channel_reserved', field: 'channel' });
    await expect(transport.publish([entry('x')], stamp)).rejects.toMatchObject({ code: 'http_404' });
    await expect(transport.publish([entry('x')], stamp)).rejects.toMatchObject({ code: 'http_301' });
  });

  it('shows the key that it was given, and nothing where it has none', async () => {
    await using receiver = await Receiver.start();
    await new HttpTransport(receiver.url, 'lls_k').publish([entry('x')], stamp);
    await new HttpTransport(receiver.url).publish([entry('y')], { ...stamp, seq: 8 });
    expect(receiver.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer lls_k',
      undefined,
    ]);
  });

  it.each([
    [401, undefined, /asks for a key: set GATEWAY_KEY or GATEWAY_KEY_FILE \(unauthorized\)$/],
    [401, 'lls_secret', /does not take the key of GATEWAY_KEY or GATEWAY_KEY_FILE \(unauthorized\)$/],
    [403, 'lls_secret', /does not let this publish: channel logs is not yours \(channel_forbidden\)$/],
  ])(
    'says in one sentence, without the key, that a gateway refuses it: %i, key %s',
    async (status, key, sentence) => {
      await using receiver = await Receiver.start();
      const code = status === 401 ? 'unauthorized' : 'channel_forbidden';
      receiver.answers.push({ status, body: problem(code, 'channel logs is not yours') });
      const transport = new HttpTransport(receiver.url, key);
      const refused = new Promise((resolve) => transport.refused.addEventListener('abort', resolve));
      transport.publish([entry('x')], stamp).catch(() => undefined);
      await refused;
      expect(transport.refused.reason).toMatch(sentence);
      expect(transport.refused.reason).not.toContain('secret');
    },
  );

  it('takes 5xx, 429 and 408 as passing, and hands on how long to wait', async () => {
    await using receiver = await Receiver.start();
    const transport = new HttpTransport(receiver.url);
    const soon = new Date(Date.now() + 60_000).toUTCString();
    receiver.answers.push(
      { status: 503, headers: { 'retry-after': '3' }, body: problem('log_full', 'the log is full') },
      { status: 429, headers: { 'retry-after': soon }, body: '' },
      { status: 502, headers: { 'retry-after': 'soon' }, body: '<html>bad gateway</html>' },
      { status: 408, body: '' },
    );
    const failures: { retryAfterMs: number }[] = [];
    for (let i = 0; i < 4; i++) {
      const error: unknown = await transport.publish([entry('x')], stamp).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(BrokerUnavailable);
      failures.push(error as { retryAfterMs: number });
    }
    expect(failures.map(({ retryAfterMs }) => Math.round(retryAfterMs / 5_000) * 5)).toEqual([5, 60, 0, 0]);
  });

  it('names what is wrong where no gateway answers, or something else does', async () => {
    const receiver = await Receiver.start();
    receiver.answers.push(
      { status: 200, body: '<html>welcome</html>' },
      { status: 200, body: '{"ok":true}' },
    );
    const transport = new HttpTransport(receiver.url);
    for (let i = 0; i < 2; i++)
      await expect(transport.publish([entry('x')], stamp)).rejects.toThrow('does not answer like a gateway');
    await receiver[Symbol.asyncDispose]();
    // The first may still meet the closed connection.
    await expect(transport.publish([entry('x')], stamp)).rejects.toBeInstanceOf(BrokerUnavailable);
    await expect(transport.publish([entry('x')], stamp)).rejects.toThrow(/no gateway at 127.*ECONNREFUSED/);
  });

  it('leaves out of a batch what the gateway refuses, says so once, and delivers the others', async () => {
    await using receiver = await Receiver.start();
    const lines: string[] = [];
    const logger = { info: () => {}, warn: (line: string) => void lines.push(line) };
    const publisher = new Publisher(new HttpTransport(receiver.url), { source: 'test', logger });
    const on = (channel: string, msg: string) =>
      publisher.enqueue(draft({ time: 1, channel, source: 'test', level: 'info', msg }));
    for (let batch = 0; batch < 2; batch++) {
      receiver.answers.push(
        { status: 422, body: problem('channel_reserved', 'line 2: not yours', 'line 2.channel') },
        { status: 400, body: problem('invalid_entry', 'line 2: too large', 'line 2') },
      );
      on('logs', 'one');
      on('logs:gateway', 'two');
      on('logs', 'too large');
      on('logs:gateway', 'four');
      on('logs', 'five');
      await publisher.flush();
    }
    expect(receiver.messages).toEqual(['one', 'five', 'one', 'five']);
    expect(receiver.requests.map(({ lines }) => lines)).toEqual([5, 3, 2, 5, 3, 2]);
    // Under one number, so that the repeat of a batch stays a repeat.
    expect(receiver.requests.map(({ headers }) => headers['publisher-seq']).join()).toBe('1,1,1,2,2,2');
    expect(publisher.counters).toMatchObject({ published: 4, dropped: 6, retries: 0, buffered: 0 });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^broker refused 2 entries, dropped: .*line 2: not yours \(channel_reserved\)/);
  });

  it('names the option where the key does not let this source publish', async () => {
    await using receiver = await Receiver.start();
    const detail = 'line 1: source must be gpu-1*';
    receiver.answers.push({ status: 403, body: problem('forbidden', detail, 'line 1.source') });
    const transport = new HttpTransport(receiver.url, 'lls_k');
    transport.publish([entry('x')], stamp).catch(() => undefined);
    await new Promise((resolve) => transport.refused.addEventListener('abort', resolve));
    expect(transport.refused.reason).toMatch(
      /source must be gpu-1\*; pipe and simulate take another by --source \(forbidden\)$/,
    );
  });

  it('carries a Publisher through a gateway that goes away and comes back', async () => {
    const first = await Receiver.start();
    const { port } = first;
    const publisher = new Publisher(new HttpTransport(first.url), { source: 'test' });
    publisher.enqueue(entry('before'));
    await publisher.flush();
    await first[Symbol.asyncDispose]();
    for (let i = 0; i < 1_000; i++) publisher.enqueue(entry(`during ${i}`));
    await expect.poll(() => publisher.counters.retries).toBeGreaterThan(1);
    await using second = await Receiver.start(port);
    await publisher.flush();
    expect(second.messages).toEqual(Array.from({ length: 1_000 }, (_, i) => `during ${i}`));
    expect(publisher.counters).toMatchObject({ published: 1_001, dropped: 0, buffered: 0 });
  });
});
