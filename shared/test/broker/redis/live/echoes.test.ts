// An echo is known by its place, not by its bytes.

import { expect, it } from 'vitest';
import { Echoes } from '../../../../src/broker/redis/live/echoes.ts';

const [A, B] = [Buffer.from('a'), Buffer.from('b')];

it('comes right behind its announcement, once by each subscription', () => {
  const echoes = new Echoes();
  echoes.onAnnounced('logs', A);
  echoes.onAnnounced('logs', Buffer.from(A)); // by a second pattern
  expect(echoes.isEcho('logs', Buffer.from('a'), 'logs*')).toBe(true);
  expect(echoes.isEcho('logs', A, 'l*')).toBe(true);
  expect(echoes.isEcho('logs', A, 'logs*')).toBe(false); // somebody has copied it
  expect(echoes.isEcho('logs', A, 'l*')).toBe(false);
});

it.each<[string, (echoes: Echoes) => void]>([
  ['nothing was announced', () => undefined],
  ['something else came in between', (echoes) => void echoes.isEcho('logs', B, 'logs*')],
  ['the next announcement has none', (echoes) => echoes.onAnnounced('logs', undefined)],
  ['the connection is new', (echoes) => echoes.reset()],
])('is foreign where %s', (_, happens) => {
  const echoes = new Echoes();
  if (_ !== 'nothing was announced') echoes.onAnnounced('logs', A);
  happens(echoes);
  expect(echoes.isEcho('logs', A, 'logs*')).toBe(false);
});

it('is of the same channel', () => {
  const echoes = new Echoes();
  echoes.onAnnounced('logs', A);
  expect(echoes.isEcho('logs:b', A, 'logs*')).toBe(false);
});
