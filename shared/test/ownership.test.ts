import { describe, expect, it } from 'vitest';
import { isChannel, isReserved, matches } from '../src/channels.ts';
import {
  conversationChannel,
  ownedKey,
  ownerOfEvents,
  partsOf,
  runChannel,
  runEventsChannel,
  runOfChannel,
} from '../src/ownership.ts';

describe('the key of what belongs to somebody', () => {
  it.each([
    ['', 'm1'],
    ['alice', 'm1'],
    ['a.b-c_d', '..m'],
    ['j-abcdefghijklmnopqrst', 'm.1'],
  ])('of %j and %j gives them back', (owner, id) => {
    expect(partsOf(ownedKey(owner, id))).toEqual({ owner, id });
    expect(runOfChannel(runChannel(ownedKey(owner, id)))).toBe(ownedKey(owner, id));
    expect(ownerOfEvents(runEventsChannel(owner))).toBe(owner);
  });

  it('is different for the same id of two owners, and of nobody', () => {
    expect(new Set(['', 'alice', 'bob'].map((owner) => ownedKey(owner, 'm1'))).size).toBe(3);
  });

  it('is the bare id where it belongs to nobody, as in a log from before there were owners', () => {
    expect(runChannel(ownedKey('', 'm1'))).toBe('runs:m1');
    expect(conversationChannel(ownedKey('', 'c1'))).toBe('conversations:c1');
    expect(runEventsChannel('')).toBe('events:runs');
  });
});

describe('the channels of an owner', () => {
  const key = ownedKey('o'.repeat(57), 'i'.repeat(128));
  const channels = [runChannel(key), conversationChannel(key), runEventsChannel('o'.repeat(57))];

  it.each(channels)('have names that the log takes, with the longest owner and id: %s', (channel) => {
    expect(isChannel(channel)).toBe(true);
  });

  it.each(channels)('are hidden from patterns for all, and closed to publishers: %s', (channel) => {
    expect(matches('*', channel)).toBe(false);
    expect(matches('events*', channel)).toBe(false);
    expect(isReserved(channel)).toBe(true);
  });
});
