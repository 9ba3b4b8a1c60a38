// Answers of services in unusual forms, served over real HTTP: the result is as expected, and is the same however the network splits
// the bytes.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boundedResponse } from '../../src/llm/answer-body.ts';
import { ChunkReader } from '../../src/llm/chunk-reader.ts';
import type { LlmEvent } from '../../src/llm/model.ts';
import { ProviderModel } from '../../src/llm/provider.ts';
import { ThoughtTags } from '../../src/llm/thought-tags.ts';
import { ask, type Collected, collect, timeoutsFor } from './collect.ts';
import { ODD_ANSWERS, type OddAnswer } from './odd-answers.ts';

const outcomeOf = ({ text, reasoning, finish, error }: Collected) => ({
  text,
  reasoning,
  end: error?.code ?? finish?.reason,
});
const expected = ({ text = '', reasoning = '', code, reason = 'stop' }: OddAnswer) => ({
  text,
  reasoning,
  end: code ?? reason,
});
const isCount = (tokens: number) => Number.isSafeInteger(tokens) && tokens >= 0;
const headersOf = ({ type = 'text/event-stream' }: OddAnswer) => ({ 'content-type': type });

describe('over HTTP', () => {
  /** Serves the answer with the number in the path, either at once or byte by byte. */
  const server = createServer(async (request, response) => {
    const [, pace, number] = (request.url ?? '').split('/');
    const answer = ODD_ANSWERS[Number(number)] as OddAnswer;
    response.writeHead(200, headersOf(answer));
    const body = Buffer.from(answer.body);
    if (pace === 'whole') return response.end(body);
    request.socket.setNoDelay(true);
    for (const byte of body) {
      if (!response.destroyed) await new Promise((written) => response.write(Buffer.of(byte), written));
    }
    response.end();
  });
  let url: string;
  beforeAll(async () => {
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());

  it.each(ODD_ANSWERS.map((answer, i) => ({ ...answer, i })))('$name', async ({ i, ...answer }) => {
    for (const pace of ['whole', 'bytes']) {
      const target = { baseUrl: `${url}/${pace}/${i}` };
      const collected = await collect(new ProviderModel(timeoutsFor()), ask(target));
      expect(outcomeOf(collected), pace).toEqual(expected(answer));
      const { inputTokens = 0, outputTokens = 0 } = collected.finish?.usage ?? {};
      for (const tokens of [inputTokens, outputTokens]) expect(tokens).toSatisfy(isCount);
    }
  });
});

describe('cut in two at every byte, what the client library reads is the same', () => {
  const read = async (...parts: Uint8Array[]) => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const part of parts) controller.enqueue(part);
        controller.close();
      },
    });
    return (await boundedResponse(new Response(body), new ChunkReader())).text();
  };
  it.each(ODD_ANSWERS)('$name', async ({ body }) => {
    const bytes = Buffer.from(body);
    const whole = await read(bytes);
    for (let at = 1; at < bytes.length; at++)
      expect(await read(bytes.subarray(0, at), bytes.subarray(at)), `at byte ${at}`).toBe(whole);
  });
});

describe('tags of thoughts', () => {
  const split = (pieces: readonly string[]) => {
    const tags = new ThoughtTags();
    const said = { text: '', reasoning: '' };
    const take = (event: LlmEvent | undefined) => {
      if (event?.type === 'retract') Object.assign(said, { text: '', reasoning: said.reasoning + said.text });
      else if (event && 'text' in event) said[event.type] += event.text;
    };
    for (const piece of pieces) for (const event of tags.separate(piece)) take(event);
    take(tags.end());
    return said;
  };
  const TAG = /<\/?think(?:ing)?>|\[\/?think\]|◁\/?think▷/gi;
  const word = fc.constantFrom(
    ...['<think>', '</think>', '</Thinking>', '<thinking>', '[THINK]', '[/think]', '◁think▷', '◁/think▷'],
    ...['`', '```', '\n', ' ', '"', '<', '</', 'hm', 'İß', '💥', '<|channel|>', '<b>'],
  );
  const text = fc.array(word, { maxLength: 30 }).map((words) => words.join(''));

  it('come out the same however the text is cut', () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(200), { maxLength: 40 }), (whole, cuts) => {
        const at = [0, ...cuts.map((cut) => Math.min(cut, whole.length)).sort((a, b) => a - b)];
        const pieces = at.map((from, i) => whole.slice(from, at[i + 1]));
        expect(split(pieces)).toEqual(split([whole]));
        expect(split([...whole])).toEqual(split([whole]));
      }),
    );
  });

  it('take nothing away but themselves and the blanks beside them', () => {
    const bare = (some: string) => some.replace(TAG, '').replace(/\s/g, '');
    fc.assert(
      fc.property(text, (whole) => {
        const { text: answer, reasoning } = split([whole]);
        expect(bare(reasoning) + bare(answer)).toBe(bare(whole));
      }),
    );
  });
});
