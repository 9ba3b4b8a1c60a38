// The flags with which Node runs the gateway: in `npm start`, in production and in the benchmark. package.json and the Dockerfile
// repeat them.

export const NODE_FLAGS = [
  // The hot path allocates little, so a small young generation is enough. Ten thousand idle viewers take a third less memory.
  '--max-semi-space-size=4',
  // With four threads, a garbage collection takes all cores of a small machine for 40 ms, also that of Redis. With one thread it
  // takes longer, but leaves the other cores free.
  '--v8-pool-size=1',
] as const;
