// Places of the door are shared: whoever has many calls open leaves some to the others.

import { CodedError } from '@llm-streamer/shared/errors.ts';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { Door, type DoorCall, MAX_CALLS } from '../../src/door/door.ts';
import { DoorMetrics } from '../../src/door/metrics.ts';
import { Upstreams } from '../../src/door/upstreams.ts';
import { serviceAt } from '../../src/llm/target.ts';

const call = (sharer: string): DoorCall => ({
  method: 'GET',
  path: '/models',
  query: '',
  headers: [],
  hops: 0,
  body: undefined,
  dialect: undefined,
  owner: '',
  sharer,
  source: 'test',
  ownKey: false,
  ownKeyWins: false,
});

/** A door to a service that never answers. */
function openDoor(): Door {
  return new Door({
    upstreams: new Upstreams(
      () => [],
      serviceAt('http://127.0.0.1:1/v1', undefined),
      () => undefined,
    ),
    serviceOf: () => ({
      send: (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        }),
    }),
    buffer: { enqueue: () => {} },
    metrics: new DoorMetrics(
      new Registry(),
      () => 0,
      () => 0,
    ),
    content: 'off',
    entryBytes: 65_536,
    stallMs: 1_000,
    personal: [],
  });
}

it('one client holds half of all places, the next one half of what is left, and places come back', async () => {
  const door = openDoor();
  const gone = new AbortController();
  const ends: Promise<unknown>[] = [];
  const fill = async (who: string, leave = new AbortController().signal): Promise<number> => {
    for (let held = 0; ; held++) {
      const opened = door.open(call(who), AbortSignal.any([gone.signal, leave])).catch((error) => error);
      ends.push(opened);
      const first = await Promise.race([opened, new Promise((go) => setImmediate(go))]);
      if (first instanceof CodedError) {
        expect(first.code).toBe('too_many_calls');
        return held;
      }
    }
  };
  const leaving = new AbortController();
  expect(await fill('a', leaving.signal)).toBe(MAX_CALLS / 2);
  expect(await fill('b')).toBe(MAX_CALLS / 4);
  leaving.abort(new CodedError('invalid_request', 'gone'));
  await Promise.all(ends.slice(0, MAX_CALLS / 2));
  expect(await fill('c')).toBe((MAX_CALLS - MAX_CALLS / 4) / 2);
  gone.abort(new CodedError('invalid_request', 'gone'));
  await Promise.all(ends);
  expect(door.active).toBe(0);
});
