// Loaded into a daemon by a test: SIGUSR2 blocks its event loop for good.
import { isMainThread } from 'node:worker_threads';

if (isMainThread)
  process.on('SIGUSR2', () => {
    for (;;);
  });
