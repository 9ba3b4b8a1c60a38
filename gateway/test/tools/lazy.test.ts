import { expect, it } from 'vitest';
import { healthy, startProcess } from '../../../test-support/process.ts';

/** A busy machine may take long to start a gateway. */
const PATIENCE_MS = 120_000;

/** Prints the address of each module of MCP that is loaded. */
const TELL = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({
    load(url, context, next) {
      if (/@ai-sdk.mcp|modelcontextprotocol|real-estate/.test(url)) console.log('loaded ' + url);
      return next(url, context);
    },
  });
`)}`;
const CALL = `data:text/javascript,${encodeURIComponent(`
  const { builtinServers } = await import(process.argv[1]);
  await builtinServers(() => {})('listings');
`)}`;

it(
  'a gateway whose agents nobody asks loads nothing of MCP',
  async () => {
    const gateway = startProcess(['--import', TELL, 'gateway/src/main.ts'], { env: { PORT: '0' } });
    const url = await gateway.saw(/http:\/\/127\.0\.0\.1:\d+/, PATIENCE_MS);
    await healthy(`${url}/readyz`, PATIENCE_MS);
    expect(gateway.output).not.toContain('loaded ');
    await gateway.stop();
  },
  3 * PATIENCE_MS,
);

it(
  'the first of the built-in servers that is asked for is loaded then',
  async () => {
    const file = new URL('../../src/tools/builtin-servers.ts', import.meta.url).href;
    const program = startProcess([
      '--import',
      TELL,
      '--input-type=module',
      '-e',
      `await import(${JSON.stringify(CALL)})`,
      file,
    ]);
    await program.saw(/loaded .*real-estate/, PATIENCE_MS);
    expect((await program.exited).code).toBe(0);
  },
  3 * PATIENCE_MS,
);
