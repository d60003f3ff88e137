// `extreg serve`: the daemon as a service, with its log as JSON lines on standard output.

import { Command } from '#commander';
import { within } from '../../telemetry/deadline.js';
import { stackOf } from '../../telemetry/error-text.js';
import type { Logger } from '../../telemetry/log.js';
import { commandConfig } from '../options/command-config.js';
import type { CommandFactory } from '../options/command-definition.js';
import { addExamples } from '../options/examples.js';
import { CommandError, EXIT } from '../process/command-error.js';
import type { CommandIo } from '../process/command-io.js';
import { requireOpenFiles } from '../process/open-files.js';

/** What of the log waits for a reader that is slow; beyond it lines are lost, because a call must not wait for a reader. */
const MAX_LOG_BYTES = 16_777_216;
/** How long a stop may take beyond the calls in flight. */
const STOP_GRACE_MS = 5000;
const FLUSH_MS = 1000;

export const serveCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('serve'),
    'extreg serve',
    'extreg serve --data-dir /var/lib/extreg --http-port 8420',
  ),
  settings: 'all',
  action: (options: object) => serve(io, options),
});

/** Rejects when the daemon cannot continue; a signal ends the process instead. */
async function serve(io: CommandIo, options: object): Promise<never> {
  const explained = await commandConfig(io, options);
  const { config } = explained;
  requireOpenFiles();
  if (io.ownProcess === null) throw new CommandError(EXIT.usage, 'serve: needs a process of its own');
  const { stdoutFd, stopOnSignals, endProcess } = io.ownProcess;
  const [{ clockOf, startDaemon }, { serviceNotices }, { openLog }, { guardProcess }, { destination }] =
    await Promise.all([
      import('../../daemon/daemon.js'),
      import('../../daemon/service-notices.js'),
      import('../../daemon/daemon-log.js'),
      import('../../telemetry/guard.js'),
      import('#pino'),
    ]);
  const output = destination({ dest: stdoutFd, sync: false, minLength: 1, maxLength: MAX_LOG_BYTES });
  const { log, levels } = openLog(config, output);
  guardProcess(log);
  const flush = () => written(output);
  const notices = serviceNotices(io.env, clockOf(log), log);
  const starting = startDaemon(config, log, { ...explained, readAgain: () => commandConfig(io, options) }, levels);
  void notices.follow(starting);
  // From the first moment on: a stop during the start waits for it.
  stopOnSignals({
    stop: async (reason) => {
      log.info({ event: 'stopping', reason });
      notices.stopping();
      try {
        await (await starting).stop();
      } catch (error) {
        log.error({ event: 'stop_failed', error: stackOf(error) });
        throw error;
      }
    },
    flush,
    onIgnored: (signal) => log.info({ event: 'signal_ignored', signal }),
    deadlineMs: config.shutdown_timeout_seconds * 1000 + STOP_GRACE_MS,
    onHangup: io.stdin.isTTY ? 'stop' : () => void notices.reloading(() => reload(starting, log)),
  });
  try {
    const daemon = await starting;
    // A signal ends the process, or an error after which the daemon cannot continue.
    const reason = await daemon.failed;
    notices.stopping();
    await daemon.stop();
    throw reason;
  } catch (error) {
    notices.close();
    log.fatal({ event: 'daemon_failed', error: stackOf(error) });
    // The sentence on standard error and the exit code are for main(), if the process can still exit.
    if (!(await flush())) await endProcess(EXIT.answeredWithError, flush);
    throw await failureOf(error);
  }
}

/** What is reported of a daemon that cannot start or continue. */
async function failureOf(error: unknown): Promise<unknown> {
  const [{ NatsServerMissingError }, { NatsPortInUseError }, { dataDirectoryFailure, startFailure }] =
    await Promise.all([
      import('../../daemon/nats.js'),
      import('../../embedded/nats/embedded-server.js'),
      import('../process/start-errors.js'),
    ]);
  if (error instanceof NatsServerMissingError || error instanceof NatsPortInUseError)
    return new CommandError(EXIT.unreachable, error.message);
  return startFailure(error) ?? dataDirectoryFailure(error) ?? error;
}

/** A daemon that is still starting reads everything as it is now. */
async function reload(starting: Promise<{ reload(): Promise<void> }>, log: Logger): Promise<void> {
  try {
    log.info({ event: 'reloading', reason: 'SIGHUP' });
    await (await starting).reload();
  } catch (error) {
    log.error({ event: 'reload_failed', error: String(error) });
  }
}

/** Whether the log has been written; false if its reader has not taken it within a second. */
async function written(output: { flush(callback: () => void): void }): Promise<boolean> {
  const flushed = new Promise<boolean>((resolve) => output.flush(() => resolve(true)));
  return await within(FLUSH_MS, flushed, false);
}
