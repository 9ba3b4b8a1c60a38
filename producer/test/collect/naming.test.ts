// Which containers are collected, and what their entries are called.
import { describe, expect, it } from 'vitest';
import type { Container } from '../../src/collect/engine.ts';
import { type Choice, isChosen, namingOf } from '../../src/collect/naming.ts';

const ID = 'abcdef012345'.padEnd(64, '0');
const ALL: Choice = { containers: [], labels: [], projects: [], own: false };

function container(name: string, labels: Record<string, string> = {}): Container {
  return {
    id: ID,
    name,
    image: 'image:1',
    labels,
    hasTerminal: false,
    isRunning: true,
    startedAt: '',
    aheadMs: 0,
  };
}

const WEB = {
  'com.docker.compose.project': 'shop',
  'com.docker.compose.service': 'web',
  'com.docker.compose.container-number': '3',
};

describe('a name', () => {
  it.each([
    ['of a compose service has its number', container('shop-web-3', WEB), 'logs:web', 'web-3'],
    [
      'of a one-off of compose is its own',
      container('shop-web-run-1', { ...WEB, 'com.docker.compose.oneoff': 'True' }),
      'logs:web',
      'shop-web-run-1',
    ],
    [
      'of a swarm task is its own',
      container('a_web.1.xyz', { 'com.docker.swarm.service.name': 'a_web' }),
      'logs:a_web',
      'a_web.1.xyz',
    ],
    ['of any other is its own', container('redis'), 'logs:redis', 'redis'],
    [
      'that is no channel becomes one',
      container('a b', { 'com.docker.compose.service': 'ü' }),
      'logs:-',
      'a b',
    ],
    ['may be given by a label', container('x', { 'llm-streamer.channel': 'logs:y' }), 'logs:y', 'x'],
  ])('%s', (_, of, channel, source) => {
    expect(namingOf(of, 'logs:{service}')).toMatchObject({ channel, source });
  });

  it('keeps nothing that a terminal would obey, or that turns the order of letters', () => {
    const hostile = container('tty\u001b[31m', {
      'com.docker.compose.service': 'web\u001b]0;pwn\u0007\u202e',
      'com.docker.compose.container-number': '1',
      'com.docker.compose.project': 'sh\u001bop\u2066',
      'llm-streamer.channel': 'a\u009bb c',
    });
    expect(namingOf({ ...hostile, image: 'i\u202e' }, 'logs:{name}')).toMatchObject({
      source: 'web]0;pwn-1',
      attrs: { 'container.image.name': 'i', 'compose.project': 'shop' },
      refusedChannel: 'ab c',
    });
    expect(namingOf(container('\u202e'), 'logs:x').source).toBe(ID.slice(0, 12));
  });

  it('never leads to a reserved channel', () => {
    const hostile = container('runs:x', { 'llm-streamer.channel': 'runs:x' });
    expect(namingOf(hostile, '{service}')).toMatchObject({
      channel: 'logs:runs:x',
      refusedChannel: 'runs:x',
    });
  });
});

describe('a container', () => {
  it.each([
    ['is chosen by default', container('a'), {}, true],
    ['is chosen by name', container('a'), { containers: ['b', 'a'] }, true],
    ['is chosen by the beginning of its id', container('a'), { containers: [ID.slice(0, 12)] }, true],
    ['is not chosen by another name', container('a'), { containers: ['b'] }, false],
    ['is chosen by project', container('a', WEB), { projects: ['shop'] }, true],
    ['of no project is not', container('a'), { projects: ['shop'] }, false],
    ['must have all labels', container('a', { x: '1', y: 'a=b' }), { labels: ['x', 'y=a=b'] }, true],
    ['with another value is not chosen', container('a', { x: '1' }), { labels: ['x=2'] }, false],
    ['of the product is left out', container('a', { 'llm-streamer.part': 'redis' }), {}, false],
    [
      'of the product is chosen on demand',
      container('a', { 'llm-streamer.part': 'redis' }),
      { own: true },
      true,
    ],
    ['that collects never is', container('a', { 'llm-streamer.part': 'collector' }), { own: true }, false],
    [
      'that does not want it is left out',
      container('a', { 'llm-streamer.collect': 'false' }),
      { own: true },
      false,
    ],
  ])('%s', (_, of, choice, expected) => {
    expect(isChosen(of, { ...ALL, ...choice }, 'workstation-of-mine')).toBe(expected);
  });

  it('in which the collector runs is left out', () => {
    expect(isChosen(container('a'), { ...ALL, own: true }, ID.slice(0, 12))).toBe(false);
  });
});
