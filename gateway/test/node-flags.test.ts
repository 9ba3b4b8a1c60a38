// Node gets the same flags in every way of starting the gateway.
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { ROOT } from '../../test-support/process.ts';
import { NODE_FLAGS } from '../src/node-flags.ts';

it.each(['gateway/package.json', 'gateway/Dockerfile'])(
  '%s starts it with the flags of src',
  async (file) => {
    const text = await readFile(`${ROOT}/${file}`, 'utf8');
    const [command = ''] = /node\W+--.*main\.ts/.exec(text) ?? [];
    expect(command.match(/--[^\s"]+/g)).toEqual([...NODE_FLAGS]);
  },
);
