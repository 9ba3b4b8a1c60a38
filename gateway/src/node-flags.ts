// How Node runs the gateway in `npm start`, in production and in the benchmark; `package.json` and the Dockerfile repeat it.

export const NODE_FLAGS = [
  // The hot path allocates little, and ten thousand idle viewers take a third less memory.
  '--max-semi-space-size=4',
  // With four threads a collection takes every core of a small machine for 40 ms, Redis's too. With one it takes longer.
  '--v8-pool-size=1',
] as const;
