// The daemon in this very process, for scripts that show it.
//
// 1. Until the daemon is there, signals end the set-up; from then on they stop the daemon. Nothing is left running.
// 2. The terminal gets lines for a person, the log goes to a file.
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { catchSignals, SetupError } from './child-process.mjs';

/** Everything, the daemon's own steps included, is over within 5 s of a Ctrl-C. */
const STOP_MS = 4700;
const DAEMON_STOP_SECONDS = 3;
const MAX_LOG_BYTES = 50 * 1024 * 1024;
/** As `extreg` ends then. */
const BUG = 70;

// Before the set-up, during which the parent may go already.
const parentPid = process.ppid;
const releaseSignals = catchSignals();

/** A module of the daemon; there only once it is built. */
export const compiled = (path) => import(new URL(`../dist/src/${path}`, import.meta.url).href);

/** Settings from flags, environment and file; a stop always ends well within the 5 s that Ctrl-C may take. */
export async function readConfig(sources) {
  const { loadConfig } = await compiled('config/config.js');
  try {
    const config = loadConfig(sources);
    return { ...config, shutdown_timeout_seconds: Math.min(config.shutdown_timeout_seconds, DAEMON_STOP_SECONDS) };
  } catch (error) {
    throw error.name === 'ConfigError' ? new SetupError(error.message, 78) : error;
  }
}

/**
 * Starts the daemon, gives it to `use`, and stops it when that is through, fails, or a signal comes.
 * @param {object} options
 * @param {import('../dist/src/config/config.js').Config} options.config
 * @param {string} options.logFile
 * @param {(reason: string, shutDown: () => Promise<void>) => Promise<void>} options.onStop a signal came; the process
 *   ends with 0 when it resolves, and with 1 when it does not in time
 * @param {(daemon: object, at: { log: import('pino').Logger, ends: (() => Promise<void>)[] }) => Promise<void>} use puts
 *   into `ends` what is to end after the daemon
 */
export async function withDaemon({ config, logFile, onStop }, use) {
  const log = await openLog(config, logFile);
  const modules = ['daemon/daemon.js', 'cli/process/signals.js', 'telemetry/guard.js'];
  const [{ startDaemon }, { stopOnSignals }, { guardProcess }] = await Promise.all(modules.map(compiled));
  guardProcess(log);
  const ends = [];
  let starting = null;
  let daemon = null;
  let isTold = false;
  const shutDown = async () => {
    const started = await starting?.catch(() => null);
    await started?.stop();
    for (const end of ends) await end();
  };
  releaseSignals();
  stopOnSignals({
    deadlineMs: STOP_MS,
    onHangup: 'stop',
    onOutputClosed: 'stop',
    parentPid,
    stop: async (reason) => {
      isTold = true;
      log.info({ event: 'stopping', reason });
      await onStop(reason, shutDown);
    },
  });
  try {
    starting = startDaemon(config, log);
    daemon = await starting;
    const lost = daemon.failed.then((error) => Promise.reject(error));
    await Promise.race([lost, use(daemon, { log, ends })]);
    await shutDown();
  } catch (error) {
    // What a stop breaks off on its way is no news.
    if (isTold) return;
    log.fatal({ event: 'daemon_ended', error: error.stack });
    await shutDown();
    if (error instanceof SetupError) throw error;
    const what = daemon === null ? 'could not be started' : 'had to end';
    const { dataDirectoryFailure, startFailure } = await compiled('cli/process/start-errors.js');
    const expected = startFailure(error) ?? dataDirectoryFailure(error);
    throw new SetupError(
      `The daemon ${what}: ${expected?.message ?? error.stack}\nThe log: ${shown(logFile)}`,
      expected?.exitCode ?? BUG,
    );
  }
}

async function openLog(config, logFile) {
  const [{ pino }, { createLogger }] = await Promise.all([import('#pino'), compiled('telemetry/log.js')]);
  mkdirSync(dirname(logFile), { recursive: true, mode: 0o700 });
  if (existsSync(logFile) && statSync(logFile).size > MAX_LOG_BYTES) renameSync(logFile, `${logFile}.1`);
  const destination = pino.destination({ dest: logFile, sync: true, mode: 0o600 });
  // A full disk must not end the daemon.
  destination.on('error', () => {});
  return createLogger(config.log_level, destination);
}

/** A client of the daemon's NATS server. */
export async function connectTo(daemon, config) {
  const { connectOnce } = await compiled('cli/daemon/nats-client.js');
  const server = { http: daemon.httpUrl, nats: daemon.natsUrl, natsToken: daemon.natsToken };
  return connectOnce(config, server, { name: 'extreg demo' });
}

export function shown(path) {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}
