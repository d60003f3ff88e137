// The thread that holds the embedded database: PGlite, behind the PostgreSQL protocol on the data directory's socket.
// (On the main thread a statement would stop the daemon for as long as it runs.)
//
// EMBEDDED-WORKER-1. The socket is listened on before the database is opened, and closed after it.
// EMBEDDED-WORKER-2. `pgdata` is a whole database with its schema or is not there: it is made beside its place and moved there.
// EMBEDDED-WORKER-3. A database from a template has an identity of its own before a client can read it, also if the process that unpacked it
//     was killed: a mark in `pgdata` stays until then.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import type { EmbeddedReport, EmbeddedWorkerData } from './embedded.js';
import {
  packFiles,
  readTemplate,
  TEMPLATE_FILE,
  templateKey,
  UNPACKED_MARK,
  unfinishedTemplate,
  unpackFiles,
  writeTemplate,
} from './embedded-template.js';
import { EmbeddedUpkeep } from './embedded-upkeep.js';
import { DataDirectoryInUseError, listenExclusively } from './socket-lock.js';
import { WireServer } from './wire-server.js';

const { dataDir, socketDir, idleHolderMs, schema, templates, upkeep: times }: EmbeddedWorkerData = workerData;
const place = join(dataDir, 'pgdata');
const unfinished = join(dataDir, 'pgdata.new');
/** EMBEDDED-WORKER-3. */
const mark = join(place, UNPACKED_MARK);
/**
 * PostgreSQL clears its buffers when it starts. 128 MB of them, its default, are a third of the time that opening the
 * database takes, and most of its memory; a registry is smaller than 16.
 */
const BUFFERS = ['-c', 'shared_buffers=16MB'];
/** No checkpoint is written at that size (embedded-upkeep.ts does), but a checkpoint keeps no more of the log than that to be used again. */
const KEPT_WAL = ['-c', 'max_wal_size=128MB'];
const OPTIONS = { startParams: [...PGlite.defaultStartParams, ...BUFFERS, ...KEPT_WAL] };

/** EMBEDDED-WORKER-3. Databases from one template are different registries: each has a history of its own. */
const NEW_IDENTITY = `do $$ begin
  if to_regclass('public.registry_revision') is not null then
    update registry_revision set history = gen_random_uuid(), token = gen_random_uuid();
  end if;
end $$`;

const report = (message: EmbeddedReport) => parentPort?.postMessage(message);
/** A segment of the write-ahead log. */
const LARGEST_FILE_BYTES = 16 * 1024 * 1024;

/** What the engine throws is not always an Error. */
const failed = (error: unknown) =>
  report({ kind: 'failed', error: error instanceof Error ? error : new Error(`embedded database: ${inspect(error)}`) });

/** Until the template of this data directory is written. */
let keeping: Promise<void> = Promise.resolve();

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

  for (const path of [unfinished, unfinishedTemplate(join(dataDir, TEMPLATE_FILE))])
    rmSync(path, { recursive: true, force: true });
  const isMissing = !existsSync(place);
  if (isMissing && schema === null) {
    report({ kind: 'missing' });
    process.exit(1);
  }
  const template = isMissing && schema !== null ? await makeDatabase(schema) : null;
  database = await openDatabase();
  if (existsSync(mark)) {
    await database.exec(NEW_IDENTITY);
    rmSync(mark);
  }
  await wire.start();
  const upkeep = startUpkeep(wire);
  report({ kind: 'ready', created: isMissing, template });

  parentPort?.on('message', async (order: 'ping' | 'close') => {
    if (order === 'ping') {
      report({ kind: 'alive' });
      return;
    }
    try {
      // What it waits for may be a connection that is ended here.
      const resting = upkeep.stop();
      await wire.stop();
      await resting;
      await database?.close();
      await keeping;
    } catch (error) {
      failed(error);
    }
    server.close();
    parentPort?.close();
  });
}

function startUpkeep(wire: WireServer): EmbeddedUpkeep {
  const upkeep = new EmbeddedUpkeep({
    times,
    execute: (message) => wire.executeOwn(message),
    onFailure: (statement, error) => report({ kind: 'upkeep_failed', statement, error }),
  });
  upkeep.start();
  return upkeep;
}

/** If what is there cannot be opened, that is reported and the thread ends. */
async function openDatabase(): Promise<PGlite> {
  try {
    return await PGlite.create(place, OPTIONS);
  } catch (error) {
    // The file system's own refusals have a code and say enough.
    if ((error as NodeJS.ErrnoException).code !== undefined) throw error;
    tryToWrite();
    report({ kind: 'damaged', reason: String((error as Error).message).split('\n')[0] ?? '' });
    process.exit(1);
  }
}

/** EMBEDDED-WORKER-2. From the first template that can be used, whose path it returns, else from nothing. */
async function makeDatabase(schemaToMake: string): Promise<string | null> {
  const key = templateKey(schemaToMake);
  try {
    const template = templates.find((file) => unpackTemplate(file, key)) ?? null;
    if (template === null) await initialise(schemaToMake);
    // Before it is moved away and opened: a template holds what every new database holds.
    const files = template === null ? packFiles(unfinished) : null;
    renameSync(unfinished, place);
    if (files !== null) keeping = keepTemplate(key, files);
    return template;
  } catch (error) {
    // What is left of it may be what fills the disk.
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  }
}

/** False if there is no template, or none that fits, and nothing was unpacked. */
function unpackTemplate(path: string, key: string): boolean {
  let files: Buffer | null;
  try {
    files = readTemplate(path, key);
  } catch (error) {
    report({ kind: 'notice', event: 'embedded_template_unusable', path, reason: String((error as Error).message) });
    return false;
  }
  if (files === null) return false;
  unpackFiles(files, unfinished);
  writeFileSync(join(unfinished, UNPACKED_MARK), '');
  return true;
}

async function initialise(schemaToMake: string): Promise<void> {
  mkdirSync(unfinished, { mode: 0o700 });
  try {
    const database = await PGlite.create(unfinished, OPTIONS);
    // One message of the simple protocol is one transaction.
    await database.exec(schemaToMake);
    await database.close();
  } catch (error) {
    tryToWrite();
    throw error;
  }
}

/** Throws the file system's error if there is no room for a file of the database: the engine aborts without a reason then. */
function tryToWrite(): void {
  const path = join(dataDir, 'pgdata.probe');
  try {
    writeFileSync(path, Buffer.alloc(LARGEST_FILE_BYTES));
  } finally {
    rmSync(path, { force: true });
  }
}

/** For the next time that this data directory needs a database. */
async function keepTemplate(key: string, files: Buffer): Promise<void> {
  const path = join(dataDir, TEMPLATE_FILE);
  try {
    await writeTemplate(path, key, files);
  } catch (error) {
    report({ kind: 'notice', event: 'embedded_template_not_kept', path, reason: String((error as Error).message) });
  }
}

main().catch((error: unknown) => {
  if (error instanceof DataDirectoryInUseError) report({ kind: 'in_use' });
  else failed(error);
  process.exit(1);
});
