// `extreg enable`, `disable`, `isolate`, `force-closed`, `release` and `reset`: what each requests of the daemon, and what is in force
// then, as a table.
import { Command } from '#commander';
import type { VerbInForce } from '../../domain/registry/verb-answer.js';
import { needsReason, type Verb } from '../../domain/registry/verbs.js';
import { adminJson } from '../daemon/admin-request.js';
import { adminUrl } from '../daemon/admin-url.js';
import type { CommandFactory } from '../options/command-definition.js';
import { json, textTable } from '../output/output.js';

const DESCRIPTIONS: Readonly<Record<Verb, string>> = {
  enable: 'enable an extension: half-open if it was disabled automatically, else with a closed breaker',
  disable: 'disable an extension: calls are refused, and nothing enables it automatically',
  isolate: 'refuse every call to an extension, including probes, until it is released',
  'force-closed': 'let every call pass to an extension, whatever its breaker decides, until it is released',
  release: 'remove the override of the breaker: half-open after isolate, closed after force-closed',
  reset: 'close the breaker, empty its windows, drop an override and an automatic disable',
};

interface VerbOptions {
  readonly reason?: string;
  readonly version?: string;
  readonly json?: true;
}

export const verbCommand =
  (verb: Verb): CommandFactory =>
  (io) => ({
    command: withReason(verb, new Command(verb).description(DESCRIPTIONS[verb]).argument('<id>', 'extension'))
      .option('--version <version>', 'of this version alone; without: of all')
      .option('--json', 'print JSON'),
    settings: 'http',
    action: async (id: string, options: VerbOptions) => {
      const { reason, version } = options;
      const base = await adminUrl(io, options);
      const given = { ...(reason === undefined ? {} : { reason }), ...(version === undefined ? {} : { version }) };
      const body = { ...given, by: io.userName() };
      const answer = await adminJson(`${base}/admin/extensions/${encodeURIComponent(id)}/${verb}`, body);
      io.stdout.write(options.json ? json(answer) : answerText(answer as VerbInForce));
    },
  });

/** Asked for where the admin API asks for it. */
function withReason(verb: Verb, command: Command): Command {
  const text = 'why, for the audit trail';
  return needsReason(verb)
    ? command.requiredOption('--reason <text>', text)
    : command.option('--reason <text>', `${text}; optional`);
}

function answerText(answer: VerbInForce): string {
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
        owed ? 'owed' : String(answer.revision),
      ],
    ],
  );
  return owed ? `${table}\nthe database is away: in force on this daemon, and written when it is back\n` : table;
}
