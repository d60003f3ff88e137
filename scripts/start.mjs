// `npm start`: set-up, then the daemon in this very process, and on a first start three extensions to play with.
// Settings may be given as flags (`npm start -- --http-port 9000`), as `extreg serve` takes them.
//
// 1. Until the daemon is there, signals end the set-up; from then on they stop the daemon. Nothing is left running.
// 2. The terminal gets lines for a person, the log goes to `<data dir>/extreg.log`.
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { buildDaemon } from './build.mjs';
import { catchSignals, SetupError } from './child-process.mjs';
import * as demo from './demo.mjs';
import { ensureNatsServer } from './nats-server.mjs';
import { fail, say } from './say.mjs';
import { prepareDataDir, ROOT, setUp } from './setup.mjs';

/** Everything, the daemon's own steps included, is over within 5 s of a Ctrl-C. */
const STOP_MS = 4700;
const DAEMON_STOP_SECONDS = 3;
const MAX_LOG_BYTES = 50 * 1024 * 1024;
const STILL_WAITING_MS = 3000;
/** As `extreg` ends then. */
const BUG = 70;

const parentPid = process.ppid;
const releaseSignals = catchSignals();
const compiled = (path) => import(new URL(`../dist/src/${path}`, import.meta.url).href);

async function main(args) {
  await setUp(buildDaemon);
  const config = await readConfig(args);
  prepareDataDir(config.data_dir);
  if (config.nats_url === null) process.env.NATS_SERVER_BIN = await ensureNatsServer(config.data_dir);
  const { log, logFile } = await openLog(config);

  const [{ startDaemon }, { stopOnSignals }] = await Promise.all([compiled('main.js'), compiled('cli/signals.js')]);
  /** Ends of what was started beside the daemon, once that is through. */
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
      const isHeard = reason === 'SIGINT' || reason === 'SIGTERM';
      if (isHeard) say('\nStopping …');
      await shutDown();
      if (isHeard) say('Stopped. Nothing is left running.');
    },
  });
  try {
    starting = startDaemon(config, log);
    daemon = await starting;
    const lost = daemon.failed.then((error) => Promise.reject(error));
    await Promise.race([lost, show(daemon, config, { log, logFile, ends })]);
    await lost;
  } catch (error) {
    // What a stop breaks off on its way is no news.
    if (isTold) return;
    log.fatal({ event: 'daemon_ended', error: error.stack });
    await shutDown();
    const what = daemon === null ? 'could not be started' : 'had to end';
    const { startFailure } = await compiled('cli/start-errors.js');
    const expected = startFailure(error);
    throw new SetupError(
      `The daemon ${what}: ${expected?.message ?? error.stack}\nThe log: ${shown(logFile)}`,
      expected?.exitCode ?? BUG,
    );
  }
}

/** Settings from flags, environment and file; a stop always ends well within the 5 s that Ctrl-C may take. */
async function readConfig(args) {
  const [{ Command }, { addConfigOptions, configFlags }, { SETTING_KEYS }, { loadConfig }] = await Promise.all([
    import('commander'),
    compiled('cli/config-options.js'),
    compiled('config-schema.js'),
    compiled('config.js'),
  ]);
  const command = addConfigOptions(new Command('npm start --'), SETTING_KEYS).parse(args, { from: 'user' });
  try {
    const config = loadConfig({ flags: configFlags(command.opts()), env: process.env, cwd: ROOT });
    const shutdown = Math.min(config.shutdown_timeout_seconds, DAEMON_STOP_SECONDS);
    return { ...config, shutdown_timeout_seconds: shutdown };
  } catch (error) {
    throw error.name === 'ConfigError' ? new SetupError(error.message, 78) : error;
  }
}

async function openLog(config) {
  const [{ pino }, { createLogger }] = await Promise.all([import('pino'), compiled('telemetry/log.js')]);
  mkdirSync(config.data_dir, { recursive: true, mode: 0o700 });
  const logFile = join(config.data_dir, 'extreg.log');
  if (existsSync(logFile) && statSync(logFile).size > MAX_LOG_BYTES) renameSync(logFile, `${logFile}.1`);
  const destination = pino.destination({ dest: logFile, sync: true, mode: 0o600 });
  // A full disk must not end the daemon.
  destination.on('error', () => {});
  return { log: createLogger(config.log_level, destination), logFile };
}

/** Says where it is, after the extensions have been called once. */
async function show(daemon, config, { log, logFile, ends }) {
  const stillWaiting = setTimeout(
    () => say(`Not ready yet: ${daemon.httpUrl}/readyz says what it waits for. The log: ${shown(logFile)}`),
    STILL_WAITING_MS,
  );
  await daemon.ready;
  clearTimeout(stillWaiting);

  const { natsUrl, natsToken } = daemon;
  const extensions = demo.mayShowExamples(config) ? await readExamples(daemon) : [];
  if (extensions.length > 0) {
    const examples = demo.runExamples(extensions, { root: ROOT, natsUrl, natsToken, config, log });
    ends.push(() => examples.stop());
  }
  say('\nThe Extension Registry is up.\n');
  if (extensions.length > 0) await call(extensions, daemon, config);
  say(`  HTTP  ${daemon.httpUrl}`);
  say(`  NATS  ${natsUrl}${natsToken === null ? '' : `   token ${natsToken}`}`);
  say(`  Log   ${shown(logFile)}`);
  const elsewhere = config.data_dir === resolve(ROOT, '.extreg') ? '' : ` --data-dir '${config.data_dir}'`;
  say('\n  Try');
  if (extensions.length > 0)
    say(`    npx extreg invoke pii_guard '{"payload":"My card is 4111 1111 1111 1111"}'${elsewhere}`);
  say(`    npx extreg health${elsewhere}`);
  say(`    curl -s ${daemon.httpUrl}/admin/extensions/health`);
  say('\n  Ctrl-C stops everything.');
}

/** The reference extensions that the registry holds; all of them where nobody has used it yet. */
async function readExamples(daemon) {
  const sql = daemon.database.db.$client;
  if (await demo.isUntouched(sql)) await demo.seedExamples(sql);
  return demo.registeredExamples(sql);
}

async function call(extensions, daemon, config) {
  const { connectOnce } = await compiled('cli/nats-client.js');
  const at = { http: daemon.httpUrl, nats: daemon.natsUrl, natsToken: daemon.natsToken };
  const connection = await connectOnce(config, at);
  try {
    for (const extension of extensions) {
      await demo.isAnswering(connection, extension);
      const { sent, got, ms } = await demo.callExtension(connection, config.subject_prefix, extension);
      say(`  ${extension.id}   ${ms.toFixed(1)} ms`);
      say(`    ${sent}`);
      say(`    ${got}\n`);
    }
  } finally {
    await connection.close();
  }
}

function shown(path) {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}

main(process.argv.slice(2)).catch((error) => {
  fail(error);
  // Whatever is still open must not keep a failed start alive.
  process.exit();
});
