// Prints why tests were skipped, and a run's totals as one plain last line: `N passed, N failed, N skipped`; a broken file
// counts as failed.
import type { Reporter, TestModule } from 'vitest/node';

export default class ClosingLine implements Reporter {
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
    const failed = count.failed + broken;
    const skipped = count.skipped + count.pending;
    process.once('exit', () => {
      process.stdout.write(
        `\n${skips.join('')}${count.passed} passed, ${failed} failed, ${skipped} skipped\n`,
      );
    });
  }
}
