// `npm test` runs every test file that has not passed yet on exactly this tree, and remembers the files that pass.

import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createVitest, type TestModule } from 'vitest/node';
import ClosingLine from '../test-support/closing-line.ts';
import { keyOf, type Passed, TestMemory } from '../test-support/test-memory.ts';

const HELP = `npm test -- [options] [file …]

  Runs the tests; of files that passed before on exactly this tree, with the same programs, none again.

  file …    only test files whose paths hold one of these texts, whatever is remembered
  --all     every test file; CI=true means this, too
  --help    this text
`;

const root = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = readArguments();
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const key = keyOf(root);
const memory = new TestMemory(`${root}node_modules/.cache/llm-streamer/passed.json`, key);
const known = values.all || positionals.length > 0 ? {} : { ...memory.passed };
const remembered = Object.values(known).reduce((sum, count) => sum + count, 0);

const closing = new ClosingLine({ remembered });
const vitest = await createVitest({ root, run: true, watch: false, reporters: ['default', closing] });
const found = await vitest.globTestSpecifications(positionals);
if (found.length === 0) fail(`no test file’s path holds ${positionals.join(' or ')}`);
const due = found.filter(({ moduleId }) => !(nameOf(moduleId) in known));
if (due.length > 0) {
  const { testModules, unhandledErrors } = await vitest.start(due.map(({ moduleId }) => moduleId));
  const passed: Passed = {};
  const forgotten: string[] = [];
  for (const module of testModules) {
    if (isWhole(module)) passed[nameOf(module.moduleId)] = [...module.children.allTests()].length;
    else forgotten.push(nameOf(module.moduleId));
  }
  // After an error outside the tests, or after an edit meanwhile, it is unknown what passed on this tree: nothing is remembered.
  if (unhandledErrors.length === 0 && keyOf(root) === key) memory.learn(passed, forgotten);
  if (unhandledErrors.length > 0 || testModules.some((module) => !module.ok())) process.exitCode = 1;
} else {
  closing.onTestRunEnd([], []);
}
await vitest.close();

/** Whether every test of a file passed. A skipped test counts as not passed: what it needs may be there the next time. */
function isWhole(module: TestModule): boolean {
  return module.ok() && [...module.children.allTests()].every((test) => test.result().state === 'passed');
}

function readArguments() {
  try {
    return parseArgs({
      options: { all: { type: 'boolean', default: Boolean(process.env.CI) }, help: { type: 'boolean' } },
      allowPositionals: true,
    });
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${HELP}`);
  }
}

function fail(message: string): never {
  process.stderr.write(`test: ${message}\n`);
  process.exit(1);
}

function nameOf(path: string): string {
  return relative(root, path);
}
