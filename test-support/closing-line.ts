// Prints why tests were skipped, and the totals of a run as its last line: `N passed, N failed, N skipped`. A file that could not be
// run counts as failed.
import type { Reporter, TestModule } from 'vitest/node';

export default class ClosingLine implements Reporter {
  readonly #remembered: number;

  /** `remembered`: how many tests passed before and are not run again. They count as passed; the line above the last says so. */
  constructor({ remembered = 0 } = {}) {
    this.#remembered = remembered;
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    const skips: string[] = [];
    let broken = errors.length;
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const result = test.result();
        count[result.state]++;
        if (result.state === 'skipped' && result.note)
          skips.push(`skipped: ${test.fullName}: ${result.note}\n`);
      }
      if (module.errors().length > 0) broken++;
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) broken++;
    }
    const passed = count.passed + this.#remembered;
    const failed = count.failed + broken;
    const skipped = count.skipped + count.pending;
    const note =
      this.#remembered > 0
        ? `${this.#remembered} of these passed before on exactly this tree and were not run again; npm test -- --all runs them\n`
        : '';
    process.once('exit', () => {
      process.stdout.write(
        `\n${skips.join('')}${note}${passed} passed, ${failed} failed, ${skipped} skipped\n`,
      );
    });
  }
}
