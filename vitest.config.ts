// Two projects: fast tests beside each workspace (real redis-server where one is needed), and whole-product tests.
import { defineConfig } from 'vitest/config';

/** Real servers, browsers and fleets on a busy machine: CI says of a test that it failed only when it failed each time. */
const RETRIES = process.env.CI ? 2 : 0;

export default defineConfig({
  test: {
    // The tests wait for processes more than they compute; by default a small machine would run one file at a time.
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
          include: ['{shared,gateway,producer,dashboard}/test/**/*.test.ts', 'test-support/*.test.ts'],
          exclude: ['**/e2e/**', '**/node_modules/**'],
          // As long as a test may take: no poll may fail only because the machine is busy.
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
