// `npm start`: set-up, then the daemon in this very process, and on a first start three extensions to play with.
// Settings may be given as flags (`npm start -- --http-port 9000`), as `extreg serve` takes them.
import { join, resolve } from 'node:path';
import { buildDaemon } from './build.mjs';
import { compiled, connectTo, readConfig, shown, withDaemon } from './daemon.mjs';
import { ensureNatsServer } from './nats-server.mjs';
import * as examples from './reference-extensions.mjs';
import { fail, say } from './say.mjs';
import { prepareDataDir, ROOT, setUp } from './setup.mjs';

const STILL_WAITING_MS = 3000;
const WRONG_USAGE = 64;
const SIGNED = { actor: 'npm start', reason: 'first start' };

async function main(args) {
  await setUp(buildDaemon);
  const config = await readConfig({ flags: await readFlags(args), env: process.env, cwd: ROOT });
  prepareDataDir(config.data_dir);
  if (config.nats_url === null) process.env.NATS_SERVER_BIN = await ensureNatsServer(config.data_dir);
  const logFile = join(config.data_dir, 'extreg.log');
  await withDaemon({ config, logFile, onStop: tellStop }, async (daemon, { log, ends }) => {
    await show(daemon, config, { log, logFile, ends });
    await untilStopped();
  });
}

const untilStopped = () => new Promise(() => {});

async function tellStop(reason, shutDown) {
  const isHeard = reason === 'SIGINT' || reason === 'SIGTERM';
  if (isHeard) say('\nStopping …');
  await shutDown();
  if (isHeard) say('Stopped. Nothing is left running.');
}

async function readFlags(args) {
  const [{ Command }, { addConfigOptions, configFlags }, { SETTING_KEYS }] = await Promise.all([
    import('#commander'),
    compiled('cli/options/config-options.js'),
    compiled('config/schema.js'),
  ]);
  const command = addConfigOptions(new Command('npm start --'), SETTING_KEYS)
    .showHelpAfterError('(settings follow two dashes: npm start -- --http-port 9000; npm start -- --help lists them)')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : WRONG_USAGE));
  return configFlags(command.parse(args, { from: 'user' }).opts());
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
  const extensions = examples.mayShowExamples(config) ? await readExamples(daemon) : [];
  if (extensions.length > 0) {
    const running = examples.runExamples(extensions, { root: ROOT, natsUrl, natsToken, config, log });
    ends.push(() => running.stop());
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
  if (await examples.isUntouched(sql)) await examples.seedExamples(sql, SIGNED);
  return examples.registeredExamples(sql);
}

async function call(extensions, daemon, config) {
  const connection = await connectTo(daemon, config);
  try {
    for (const extension of extensions) {
      await examples.isAnswering(connection, extension);
      const { sent, got, ms } = await examples.callExtension(connection, config.subject_prefix, extension);
      say(`  ${extension.id}   ${ms.toFixed(1)} ms`);
      say(`    ${sent}`);
      say(`    ${got}\n`);
    }
  } finally {
    await connection.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  fail(error);
  // Whatever is still open must not keep a failed start alive.
  process.exit();
});
