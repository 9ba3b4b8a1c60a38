// `npm run sim-llm`: a mistake in its command line is answered with one clear line on stderr and exit code 2.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startProcess } from '../../../../test-support/process.ts';
import { FAULTS } from '../../../src/llm/simulator/simulator-faults.ts';

async function run(...args: string[]) {
  const program = startProcess(['gateway/src/llm/simulator/simulator-main.ts', ...args]);
  onTestFinished(() => program.kill('SIGKILL')); // one that was accepted would run on
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

describe('npm run sim-llm', () => {
  it.each([
    [['--port', 'x'], '--port "x": must be a whole number from 0 to 65535'],
    [['--port', '70000'], '--port "70000": must be a whole number from 0 to 65535'],
    [['--port', ''], '--port "": must be a whole number from 0 to 65535'],
    [['--chunk', '0'], '--chunk "0": must be a whole number from 1 to 1000'],
    [['--delay', '1.5'], '--delay "1.5": must be a whole number from 0 to 10000'],
    [['--delay=-1'], '--delay "-1": must be a whole number from 0 to 10000'],
    [['--host', ''], '--host "": must be an address of this machine'],
    [['--host', '192.0.2.1'], '--host "192.0.2.1": must be an address of this machine'],
    [['--models', 'x'], "Unknown option '--models'; see --help"],
    [['4010'], "Unexpected argument '4010'; see --help"],
  ])('refuses %j', async (args, line) => {
    expect(await run(...args)).toEqual({ code: 2, stdout: '', stderr: `sim-llm: ${line}\n` });
  });

  it('refuses a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const refused = await run('--port', `${port}`);
    server.close();
    expect(refused).toEqual({ code: 2, stdout: '', stderr: `sim-llm: --port "${port}": is taken\n` });
  });

  it('helps', async () => {
    const { code, stdout } = await run('--help');
    expect(code).toBe(0);
    expect(stdout).toContain('--delay N');
    const read = (page: string) => readFile(new URL(`../../../../docs/${page}`, import.meta.url), 'utf8');
    const page = (await read('runs.md')) + (await read('agents.md'));
    for (const model of Object.keys(FAULTS)) {
      expect(stdout).toMatch(new RegExp(`^  ${model} `, 'm'));
      expect(page).toContain(`\`${model}\``);
    }
  });
});
