// Reads a socket on which much comes in short turns, so that the event loop gets to everything else in between.

import type { Redis } from 'ioredis';

/** After this long in one turn of the event loop, the rest of a burst waits for the next turn. */
const READ_MS = 5;

/** Node alone would read up to 32 chunks of 64 kB without coming back to the event loop. */
export function readInTurns(socket: Redis['stream']): void {
  let beganAt = 0;
  const endTurn = () => {
    beganAt = 0;
    if (socket.isPaused()) socket.resume();
  };
  // Before and after the chunk is handled.
  socket.prependListener('data', () => {
    if (beganAt > 0) return;
    beganAt = performance.now();
    setImmediate(endTurn);
  });
  socket.on('data', () => {
    if (performance.now() - beganAt > READ_MS) socket.pause();
  });
}
