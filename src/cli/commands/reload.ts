// `extreg reload`: the daemon reads its registry, its settings and its certificates again.

import { Command } from '#commander';
import { DaemonClient } from '../daemon/daemon-client.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { DaemonOptions, OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { factsText } from '../output/facts-text.js';
import { json } from '../output/output.js';
import { styleOf } from '../output/style.js';
import { type ConfirmOptions, confirmByName, requiredReason } from '../process/confirm.js';

interface ReloadOptions extends OutputOptions, DaemonOptions, ConfirmOptions {
  readonly force?: true;
  readonly reason?: string;
}

const RELOAD_TIMEOUT_MS = 60_000;

export const reloadCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('reload')
      .option('--force', 'also apply a removal of so many extensions that it is held back')
      .option('--reason <text>', 'why, for the audit trail; with --force asked for on a terminal')
      .option('--yes', 'without asking; --force needs it where no terminal can be asked')
      .option('--json', 'print JSON'),
    'extreg reload',
    "extreg reload --force --reason 'the tenant has left'",
  ),
  settings: 'http',
  action: async (options: ReloadOptions) => {
    const { force } = options;
    const reason = force ? await requiredReason(io, options) : options.reason;
    const daemon = await DaemonClient.of(io, options);
    if (force) {
      const question = 'This removes every extension that the registry lacks, also where so many are held back.';
      await confirmByName(io, { question, name: 'reload' }, options);
    }
    const order = { ...(reason === undefined ? {} : { reason }), ...(force ? { force } : {}), ...daemon.by(io) };
    const { text } = await daemon.request('/admin/reload', {
      method: 'POST',
      text: JSON.stringify(order),
      timeoutMs: RELOAD_TIMEOUT_MS,
    });
    const answer = JSON.parse(text) as object;
    if (options.json) io.stdout.write(json(answer));
    else if (!options.quiet) io.stdout.write(factsText(answer, styleOf(io, options)));
  },
});
