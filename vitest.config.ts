// The tests are two projects: the tests of each workspace, with a real redis-server if they need one, and tests of the whole product.
import { defineConfig } from 'vitest/config';

/** Tests run real servers, browsers and fleets, so a busy machine may fail one by chance. In CI it fails only if it fails each time. */
const RETRIES = process.env.CI ? 2 : 0;

export default defineConfig({
  test: {
    // Tests mostly wait for processes. By default, a small machine would run one file at a time.
    maxWorkers: 3,
    reporters: ['default', './test-support/closing-line.ts'],
    coverage: {
      provider: 'v8',
      include: ['{shared,gateway,producer,dashboard}/src/**/*.{ts,tsx}'],
      exclude: ['**/main.ts'],
      reporter: ['text', 'text-summary', 'html'],
    },
    projects: [
      {
        test: {
          name: 'unit',
          retry: RETRIES,
          include: [
            '{shared,gateway,producer,dashboard,deploy,examples/real-estate}/test/**/*.test.ts',
            'test-support/*.test.ts',
          ],
          exclude: ['**/e2e/**', '**/node_modules/**'],
          // Long enough that a poll does not fail only because the machine is busy.
          expect: { poll: { timeout: 15_000 } },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          retry: RETRIES,
          include: ['{gateway,dashboard}/test/e2e/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
