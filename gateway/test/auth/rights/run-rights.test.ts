import { ownedKey } from '@llm-streamer/shared/ownership.ts';
import { describe, expect, it } from 'vitest';
import { EVERYONE, type Principal } from '../../../src/auth/principal.ts';
import {
  mayCancelRun,
  mayReadConversation,
  mayReadRun,
  readableRuns,
} from '../../../src/auth/rights/run-rights.ts';
import { member } from '../../http/owned-gateway.ts';

const alice = member('alice');
const nobody = ownedKey('', 'm1');
const mine = ownedKey('alice', 'm1');
const foreign = ownedKey('bob', 'm1');
const like = ownedKey('alice2', 'm1');
const ids = [nobody, mine, foreign, like];
const readable = (who: Principal) => ids.filter((key) => mayReadRun(who, key));

describe('a run', () => {
  it('is read and stopped by its owner, and by nobody whose name is similar', () => {
    expect(readable(alice)).toEqual([mine]);
    expect(ids.filter((key) => mayCancelRun(alice, key))).toEqual([mine]);
    expect(ids.filter((key) => mayReadConversation(alice, key))).toEqual([mine]);
  });

  it('is closed to a key of its owner that was granted less', () => {
    const narrow = { ...alice, grants: { ...alice.grants, read: ['logs*'], run: false } };
    expect(readable(narrow)).toEqual([]);
    expect(mayCancelRun(narrow, mine)).toBe(false);
    expect(mayReadConversation(narrow, mine)).toBe(false);
    expect(readableRuns(narrow)).toEqual({ owners: [] });
    expect(readableRuns(narrow, 'alice').allows?.(mine)).toBe(false);
  });

  it('that is shared is read, but not stopped, and its conversation stays closed', () => {
    const carol = member('carol', { read: ['runs:alice/*'] });
    expect(readable(carol)).toEqual([mine]);
    expect(mayCancelRun(carol, mine)).toBe(false);
    expect(mayReadConversation(carol, mine)).toBe(false);
  });

  it.each(['*', '*:alice/*', 'r*', 'runs*', '*s:*'])('is not shared by the grant %s', (pattern) => {
    expect(readable(member('carol', { read: [pattern] }))).toEqual([]);
  });

  it("that belongs to nobody is nobody's own: an admin has it", () => {
    const unnamed = { ...alice, owner: '' };
    expect(mayReadRun(unnamed, nobody)).toBe(false);
    expect(mayCancelRun(unnamed, nobody)).toBe(false);
    const root = member('root', { admin: true });
    expect(readable(root)).toEqual(ids);
    expect(ids.filter((key) => mayCancelRun(root, key))).toEqual(ids);
  });

  it("is everybody's where nobody has to sign in", () => {
    expect(readable(EVERYONE)).toEqual(ids);
    expect(ids.filter((key) => mayCancelRun(EVERYONE, key))).toEqual(ids);
  });
});

describe('a list of runs', () => {
  const owners = (who: Principal, owner?: string) => readableRuns(who, owner).owners;

  it("is of one's own and of those that are shared", () => {
    expect(owners(alice)).toEqual(['alice']);
    expect(owners(member('carol', { read: ['runs:alice/*', 'logs*'] }))).toEqual(['carol', 'alice']);
    expect(owners(member('carol', { read: ['runs:old-run'] }))).toEqual(['carol', '']);
  });

  it('is of all for an admin, and where nobody has to sign in', () => {
    expect(readableRuns(member('root', { admin: true }))).toEqual({});
    expect(readableRuns(EVERYONE)).toEqual({});
  });

  it('looks at all owners where a pattern may match those of several, and picks', () => {
    const { owners: all, allows } = readableRuns(member('carol', { read: ['runs:al*/m*'] }));
    expect(all).toBeUndefined();
    expect(ids.filter((key) => allows?.(key))).toEqual([mine, like]);
  });

  it("picks where a part of an owner's runs is shared", () => {
    const { allows } = readableRuns(member('carol', { read: ['runs:alice/team-*'] }));
    expect(allows?.(mine)).toBe(false);
    expect(allows?.(ownedKey('alice', 'team-1'))).toBe(true);
    expect(allows?.(ownedKey('carol', 'any'))).toBe(true);
  });

  it("of another's, asked for by name, holds what may be read of his", () => {
    const { owners: asked, allows } = readableRuns(alice, 'bob');
    expect(asked).toEqual(['bob']);
    expect(allows?.(foreign)).toBe(false);
    expect(readableRuns(alice, '').allows?.(nobody)).toBe(false);
    expect(readableRuns(alice, 'alice')).toEqual({ owners: ['alice'] });
  });
});
