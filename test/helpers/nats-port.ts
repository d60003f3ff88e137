// A port for the embedded nats-server of a data directory, so that daemons of several test files do not all want 4222, and one that starts
// again finds its port free.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { keptPort, portFile } from '../../src/embedded/nats/embedded-address.js';

/** Below the ports that systems give to outgoing connections. */
const FIRST = 20_000;
const COUNT = 10_000;

/** Chooses a port unless an earlier start has; the directory is made where it is missing. */
export async function chooseNatsPort(dataDir: string): Promise<void> {
  if (keptPort(dataDir) !== null) return;
  const port = await freePort();
  mkdirSync(dirname(portFile(dataDir)), { recursive: true });
  writeFileSync(portFile(dataDir), `${port}\n`);
}

/** One that nobody listens on now, chosen by chance. */
export async function freePort(): Promise<number> {
  let port = 0;
  do port = FIRST + Math.floor(Math.random() * COUNT);
  while (!(await isFree(port)));
  return port;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
