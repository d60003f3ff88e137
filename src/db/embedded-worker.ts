// The thread that holds the embedded database: PGlite, behind the PostgreSQL protocol on the data directory's socket.
// (On the main thread a statement would stop the daemon for as long as it runs.)
//
// E1. The socket is listened on before the database is opened, and closed after it.
// E2. `pgdata` is a whole database or is not there: it is made beside its place and moved there.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import type { EmbeddedReport, EmbeddedWorkerData } from './embedded.js';
import { DataDirectoryInUseError, listenExclusively } from './socket-lock.js';
import { WireServer } from './wire-server.js';

const { dataDir, socketDir, idleHolderMs }: EmbeddedWorkerData = workerData;
const report = (message: EmbeddedReport) => parentPort?.postMessage(message);
/** What the engine throws is not always an Error. */
const failed = (error: unknown) =>
  report({ kind: 'failed', error: error instanceof Error ? error : new Error(`embedded database: ${inspect(error)}`) });

async function main(): Promise<void> {
  let database: PGlite | null = null;
  const wire = new WireServer({
    idleHolderMs,
    onLost: (error) => {
      failed(error);
      process.exit(1);
    },
    execute: async (messages) => {
      const answer: Buffer[] = [];
      await database?.execProtocolRawStream(messages, {
        syncToFs: false,
        // A view of the engine's memory: it is copied before the engine goes on.
        onRawData: (bytes) => answer.push(Buffer.from(bytes)),
      });
      return Buffer.concat(answer);
    },
  });
  const server = createServer((socket) => wire.accept(socket));
  await listenExclusively(server, socketDir);
  server.on('error', failed);

  const created = await makeDatabase();
  database = await openDatabase();
  await wire.start();
  report({ kind: 'ready', created });

  parentPort?.on('message', async (order: 'ping' | 'close') => {
    if (order === 'ping') {
      report({ kind: 'alive' });
      return;
    }
    try {
      await wire.stop();
      await database?.close();
    } catch (error) {
      failed(error);
    }
    server.close();
    parentPort?.close();
  });
}

/** Where what is there cannot be opened, that is told and the thread ends. */
async function openDatabase(): Promise<PGlite> {
  try {
    return await PGlite.create(join(dataDir, 'pgdata'));
  } catch (error) {
    // The file system's own refusals have a code and say enough.
    if ((error as NodeJS.ErrnoException).code !== undefined) throw error;
    report({ kind: 'damaged', reason: String((error as Error).message).split('\n')[0] ?? '' });
    process.exit(1);
  }
}

/** E2. True where it made one. */
async function makeDatabase(): Promise<boolean> {
  const place = join(dataDir, 'pgdata');
  const unfinished = join(dataDir, 'pgdata.new');
  rmSync(unfinished, { recursive: true, force: true });
  if (existsSync(place)) return false;
  mkdirSync(unfinished, { mode: 0o700 });
  const database = await PGlite.create(unfinished);
  await database.close();
  renameSync(unfinished, place);
  return true;
}

main().catch((error: unknown) => {
  if (error instanceof DataDirectoryInUseError) report({ kind: 'in_use' });
  else failed(error);
  process.exit(1);
});
