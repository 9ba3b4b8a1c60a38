// Remembers which test files passed on exactly this tree, so that the next run need not repeat them. Any change of any file, or of
// the programs that the tests use, makes it forget all of them.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CHROMIUM } from './chromium.ts';

const NOT_SOURCE = /^(?:node_modules|dist|coverage|\.git)$|\.(?:log|cpuprofile)$/;
const PROGRAMS = ['redis-server', CHROMIUM];

/** The test files in which every test passed, each with the number of its tests. */
export type Passed = Record<string, number>;

export class TestMemory {
  readonly #store: string;
  readonly #key: string;
  readonly passed: Passed;

  /** `store` is the JSON file of the memory; `key` stands for the tree as it is now. */
  constructor(store: string, key: string) {
    this.#store = store;
    this.#key = key;
    const { key: then, passed = {} } = read(store);
    this.passed = then === key ? passed : {};
  }

  /** Adds the files that passed, and removes those that did not. */
  learn(passed: Passed, forgotten: readonly string[]): void {
    Object.assign(this.passed, passed);
    for (const file of forgotten) delete this.passed[file];
    mkdirSync(dirname(this.#store), { recursive: true });
    writeFileSync(this.#store, JSON.stringify({ key: this.#key, passed: this.passed }));
  }
}

/** A hash of every file below `root` that is not made by tools, and of the versions of the programs that the tests use. */
export function keyOf(root: string, programs = versions()): string {
  const hash = createHash('sha256').update(programs);
  const add = (folder: string) => {
    const entries = readdirSync(join(root, folder), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      if (NOT_SOURCE.test(entry.name)) continue;
      if (entry.isDirectory()) add(path);
      else if (entry.isFile()) {
        const content = readFileSync(join(root, path));
        hash.update(`${path}\0${content.length}\0`).update(content);
      }
    }
  };
  add('');
  return hash.digest('hex');
}

function versions(): string {
  const said = PROGRAMS.map((program) => spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout);
  return [process.version, ...said].join();
}

function read(store: string): { key?: string; passed?: Passed } {
  try {
    return JSON.parse(readFileSync(store, 'utf8')) as { key?: string; passed?: Passed };
  } catch {
    return {}; // nothing was remembered yet, or the writing was cut off
  }
}
