// Lends the log in memory to the thread of the rules: calls go over a port, and come back with the answer or the error that the call
// itself would have given.

import type { MessagePort } from 'node:worker_threads';
import type { Broker, Page, PageItem, ReadQuery } from '@llm-streamer/shared/broker/broker.ts';
import { LogRecord } from '@llm-streamer/shared/broker/record.ts';
import { BrokerUnavailable, CodedError, PublishRefused } from '@llm-streamer/shared/errors.ts';
import { oneLine } from '@llm-streamer/shared/uncaught.ts';
import type { RulesStore } from '../store/rules-store.ts';

interface Call {
  id: number;
  method: string;
  args: unknown[];
}

interface Answer {
  id: number;
  value?: unknown;
  error?: { code: string; message: string };
}

/** An item of a page as a message: records have methods, which no message carries. */
type SentItem =
  | { sent: { channel: string; data: Uint8Array; n: number; prev: number } }
  | { gap: PageItem['gap'] };

const STORE_METHODS = [
  'begin',
  'lead',
  'states',
  'commit',
  'resign',
  'firing',
  'waiting',
  'delivered',
] as const;

/** Answers the calls that come over the port. */
export function lendLog(port: MessagePort, broker: Pick<Broker, 'readPage'>, store: RulesStore): void {
  const answer = async ({ id, method, args }: Call): Promise<Answer> => {
    try {
      if (method === 'readPage') return { id, value: toSent(await broker.readPage(args[0] as ReadQuery)) };
      const name = STORE_METHODS.find((known) => known === method);
      if (name === undefined) throw new Error(`${method} is no call of the log`);
      const call = store[name].bind(store) as (...given: unknown[]) => Promise<unknown>;
      return { id, value: await call(...args) };
    } catch (error) {
      const coded = error instanceof CodedError;
      return {
        id,
        error: { code: coded ? error.code : 'internal', message: coded ? error.message : oneLine(error) },
      };
    }
  };
  port.on('message', (call: Call) => {
    answer(call)
      .then((result) => port.postMessage(result))
      .catch(() => port.close()); // an answer that cannot be sent would leave its caller waiting
  });
}

/** The log at the other end of the port. */
export function borrowedLog(port: MessagePort): { broker: Pick<Broker, 'readPage'>; store: RulesStore } {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let calls = 0;
  port.on('message', ({ id, value, error }: Answer) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(errorOf(error));
  });
  port.on('close', () => {
    for (const call of waiting.values()) call.reject(new BrokerUnavailable('the log is closed'));
    waiting.clear();
  });
  const call = <T>(method: string, ...args: unknown[]): Promise<T> => {
    const id = ++calls;
    const result = Promise.withResolvers<unknown>();
    waiting.set(id, result);
    port.postMessage({ id, method, args } satisfies Call);
    return result.promise as Promise<T>;
  };
  return {
    // A function cannot be sent.
    broker: { readPage: async ({ isAbandoned: _, ...query }) => fromSent(await call('readPage', query)) },
    store: {
      begin: (...args) => call('begin', ...args),
      lead: (...args) => call('lead', ...args),
      states: (...args) => call('states', ...args),
      commit: (...args) => call('commit', ...args),
      resign: (...args) => call('resign', ...args),
      firing: (...args) => call('firing', ...args),
      waiting: (...args) => call('waiting', ...args),
      delivered: (...args) => call('delivered', ...args),
      close: async () => port.close(),
    },
  };
}

function toSent({ items, ...page }: Page): Omit<Page, 'items'> & { items: SentItem[] } {
  return {
    ...page,
    items: items.map(({ record, gap }): SentItem => {
      if (record === undefined) return { gap };
      const { channel, n, prev } = record;
      // A copy of its own: a message would carry the whole of the buffer of which `data` is a part.
      return { sent: { channel, data: new Uint8Array(record.data), n, prev } };
    }),
  };
}

function fromSent({ items, ...page }: Omit<Page, 'items'> & { items: SentItem[] }): Page {
  return {
    ...page,
    items: items.map((item): PageItem => {
      if ('gap' in item) return { gap: item.gap as NonNullable<PageItem['gap']> };
      const { channel, data, n, prev } = item.sent;
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      return { record: new LogRecord(channel, bytes, n === 0 ? null : { n, prev }) };
    }),
  };
}

function errorOf({ code, message }: NonNullable<Answer['error']>): Error {
  switch (code) {
    case 'broker_unavailable':
      return new BrokerUnavailable(message);
    case 'log_full':
    case 'channel_unusable':
    case 'too_many_channels':
    case 'batch_too_large':
    case 'fenced':
      return new PublishRefused(code, message);
    default:
      return new Error(message);
  }
}
