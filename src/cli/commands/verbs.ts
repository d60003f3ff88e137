// `extreg enable`, `disable`, `isolate`, `force-closed`, `release` and `reset`: what each requests of the daemon, and what is in force
// then, as a table.

import { Command } from '#commander';
import type { VerbInForce } from '../../domain/registry/verb-answer.js';
import { needsReason, type Verb } from '../../domain/registry/verbs.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { DaemonOptions, OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { json, textTable } from '../output/output.js';
import { type Style, styleOf } from '../output/style.js';
import { singleLine } from '../output/terminal-text.js';
import type { CommandIo } from '../process/command-io.js';
import { type ConfirmOptions, confirm, confirmByName, requiredReason } from '../process/confirm.js';

interface VerbOptions extends OutputOptions, DaemonOptions, ConfirmOptions {
  readonly reason?: string;
  readonly version?: string;
}

/** What is asked on a terminal first; the others give back what was taken. */
const WARNINGS: Readonly<Partial<Record<Verb, (name: string) => string>>> = {
  disable: (name) => `This disables ${name}: its calls are refused until it is enabled.`,
  isolate: (name) => `This refuses every call to ${name}, including probes, until it is released.`,
  'force-closed': (name) =>
    `This lets every call through to ${name}, whatever its breaker measures, until it is released.`,
  reset: (name) => `This closes the breaker of ${name} and forgets what it measured.`,
};

export const verbCommand =
  (verb: Verb): CommandFactory =>
  (io) => ({
    command: addExamples(commandOf(verb), ...examplesOf(verb)),
    settings: 'http',
    action: async (id: string, options: VerbOptions) => {
      const reason = needsReason(verb) ? await requiredReason(io, options) : options.reason;
      const daemon = await DaemonClient.of(io, options);
      await confirmVerb(io, verb, id, options);
      const { version } = options;
      const given = { ...(reason === undefined ? {} : { reason }), ...(version === undefined ? {} : { version }) };
      const path = `/admin/extensions/${encodeURIComponent(id)}/${verb}`;
      const answer = await daemon.json<VerbInForce>(path, { ...given, ...daemon.by(io) });
      const style = styleOf(io, options);
      if (options.json) io.stdout.write(json(answer));
      else if (!style.quiet) io.stdout.write(answerText(answer, style));
    },
  });

function commandOf(verb: Verb): Command {
  const why = `why, for the audit trail${needsReason(verb) ? '; asked for on a terminal' : '; optional'}`;
  const command = new Command(verb)
    .argument('<id>', 'extension')
    .option('--reason <text>', why)
    .option('--version <version>', 'of this version alone; without: of all')
    .option('--json', 'print JSON');
  const without = verb === 'force-closed' ? 'without asking; needed where no terminal can be asked' : 'without asking';
  return WARNINGS[verb] === undefined ? command : command.option('--yes', without);
}

function examplesOf(verb: Verb): string[] {
  if (!needsReason(verb)) return [`extreg ${verb} pii_guard`, `extreg ${verb} pii_guard --version v2`];
  const reason = verb === 'force-closed' ? "'its breaker is wrong' --yes" : "'returns garbage'";
  return [`extreg ${verb} pii_guard --reason ${reason}`, `extreg ${verb} pii_guard --version v2 --reason ${reason}`];
}

async function confirmVerb(io: CommandIo, verb: Verb, id: string, options: VerbOptions): Promise<void> {
  const { version } = options;
  const question = WARNINGS[verb]?.(singleLine(version === undefined ? id : `version ${version} of ${id}`));
  if (question === undefined) return;
  if (verb === 'force-closed') await confirmByName(io, { question, name: id }, options);
  else await confirm(io, question, options);
}

function answerText(answer: VerbInForce, style: Style): string {
  const { enabled, auto_disabled, owed } = answer;
  const table = textTable(
    ['ID', 'VERSION', 'ENABLED', 'OVERRIDE', 'STATE', 'REVISION'],
    [
      [
        answer.extension_id,
        answer.version ?? 'all',
        enabled ? 'yes' : auto_disabled ? 'auto-disabled' : 'no',
        answer.override ?? '-',
        answer.circuit_breaker_state ?? '-',
        owed ? 'pending' : String(answer.revision),
      ],
    ],
    style,
  );
  return owed ? `${table}\nthe database is away: in force on this daemon, and written when it is back\n` : table;
}
