// Every command: what the overview says of it, and where it is. The overview loads none of their files (MAIN-4).
// Long: one entry for each command.
import type { Verb } from '../domain/registry/verbs.js';
import type { CommandFactory } from './options/command-definition.js';

interface CommandEntry {
  readonly group: string;
  /** As its own file declares them. */
  readonly args: string;
  readonly summary: string;
  readonly load: () => Promise<CommandFactory>;
}

const LOOK = 'Look:';
const ACT = 'Act:';
const ROWS = 'Registry:';
const DAEMON = 'Daemon:';

const entry = (group: string, args: string, summary: string, load: CommandEntry['load']): CommandEntry => ({
  group,
  args,
  summary,
  load,
});

const VERB_SUMMARIES: Readonly<Record<Verb, string>> = {
  enable: 'enable an extension: half-open if it was disabled automatically, else with a closed breaker',
  disable: 'disable an extension: calls are refused, and nothing enables it automatically',
  isolate: 'refuse every call to an extension, including probes, until it is released',
  'force-closed': 'let every call pass to an extension, whatever its breaker decides, until it is released',
  release: 'remove the override of the breaker: half-open after isolate, closed after force-closed',
  reset: 'close the breaker, empty its windows, drop an override and an automatic disable',
};

/** In the order of the overview. */
export const COMMANDS: ReadonlyMap<string, CommandEntry> = new Map([
  [
    'ls',
    entry(
      LOOK,
      '[part]',
      'list extensions with their state; --wrong: what is not healthy, worst first, and why',
      async () => (await import('./commands/ls.js')).lsCommand,
    ),
  ],
  [
    'health',
    entry(
      LOOK,
      '[id]',
      'show the health of all extensions and which rows are refused, or of one with its versions and instances',
      async () => (await import('./commands/health.js')).healthCommand,
    ),
  ],
  [
    'show',
    entry(
      LOOK,
      '<id>',
      'show an extension: state and why, row, versions, instances, last changes, and what may be done',
      async () => (await import('./commands/show.js')).showCommand,
    ),
  ],
  [
    'explain',
    entry(
      LOOK,
      '<id>',
      'show how a call would be routed, and why; ends with 1 if it would be refused',
      async () => (await import('./commands/explain.js')).explainCommand,
    ),
  ],
  [
    'replay',
    entry(
      LOOK,
      '<id>',
      'show when the breaker would have opened under another policy, beside when it did; changes nothing',
      async () => (await import('./commands/replay.js')).replayCommand,
    ),
  ],
  [
    'history',
    entry(
      LOOK,
      '<id>',
      'show calls, failures and latency of the last hours, and what happened',
      async () => (await import('./commands/history.js')).historyCommand,
    ),
  ],
  [
    'audit',
    entry(
      LOOK,
      '[id]',
      'show who changed what, and why; -f: as it happens',
      async () => (await import('./commands/audit.js')).auditCommand,
    ),
  ],
  [
    'events',
    entry(
      LOOK,
      '[id]',
      'show what happened to breakers and extensions; -f: as it happens',
      async () => (await import('./commands/events.js')).eventsCommand,
    ),
  ],
  [
    'watch',
    entry(
      LOOK,
      '[id]',
      'live screen of what is wrong, or of one extension; q ends it',
      async () => (await import('./commands/watch.js')).watchCommand,
    ),
  ],
  [
    'wait',
    entry(
      LOOK,
      '<id>',
      'wait until an extension is in a state; ends with 75 if it is not in time',
      async () => (await import('./commands/wait.js')).waitCommand,
    ),
  ],
  [
    'inspect',
    entry(
      LOOK,
      '[id]',
      'print where the statechart of an extension can be watched, or with --follow what it does',
      async () => (await import('./commands/inspect.js')).inspectCommand,
    ),
  ],
  ...(Object.keys(VERB_SUMMARIES) as Verb[]).map(
    (verb) =>
      [
        verb,
        entry(ACT, '<id>', VERB_SUMMARIES[verb], async () => (await import('./commands/verbs.js')).verbCommand(verb)),
      ] as const,
  ),
  [
    'drain',
    entry(
      ACT,
      '<id> <instance>',
      'give an instance no new calls; --wait: until none is in flight',
      async () => (await import('./commands/drain.js')).drainCommand,
    ),
  ],
  [
    'undrain',
    entry(
      ACT,
      '<id> <instance>',
      'give a drained instance calls again',
      async () => (await import('./commands/drain.js')).undrainCommand,
    ),
  ],
  [
    'rollout',
    entry(
      ACT,
      '<id> [version] [percent]',
      'show which version takes which share of the calls, or give a version its percentage',
      async () => (await import('./commands/rollout.js')).rolloutCommand,
    ),
  ],
  [
    'invoke',
    entry(
      ACT,
      '<id> [body]',
      'call an extension through the daemon and print its reply',
      async () => (await import('./commands/invoke.js')).invokeCommand,
    ),
  ],
  [
    'create',
    entry(
      ROWS,
      '<id> <field=value...>',
      'make an extension, a version or an instance',
      async () => (await import('./commands/rows.js')).createCommand,
    ),
  ],
  [
    'set',
    entry(
      ROWS,
      '<id> <field=value...>',
      'change fields of a row; shows from and to first',
      async () => (await import('./commands/rows.js')).setCommand,
    ),
  ],
  [
    'unset',
    entry(
      ROWS,
      '<id> <field...>',
      'give fields of a row their default; shows from and to first',
      async () => (await import('./commands/rows.js')).unsetCommand,
    ),
  ],
  [
    'delete',
    entry(
      ROWS,
      '<id>',
      'delete an extension with its versions and instances, or one of those',
      async () => (await import('./commands/rows.js')).deleteCommand,
    ),
  ],
  [
    'import',
    entry(
      ROWS,
      '<file>',
      'create and change what a file says, in one transaction; what it does not name is left alone',
      async () => (await import('./commands/import.js')).importCommand,
    ),
  ],
  [
    'export',
    entry(
      ROWS,
      '[file]',
      'write the whole registry to a file, as extreg import takes it',
      async () => (await import('./commands/export.js')).exportCommand,
    ),
  ],
  [
    'sql',
    entry(
      ROWS,
      '<statement>',
      'run one SQL statement against the registry, also while the daemon runs',
      async () => (await import('./commands/sql.js')).sqlCommand,
    ),
  ],
  [
    'status',
    entry(
      DAEMON,
      '',
      'show the daemon itself: version, readiness, what is pending, streams, memory',
      async () => (await import('./commands/status.js')).statusCommand,
    ),
  ],
  [
    'fleet',
    entry(
      DAEMON,
      '',
      'show the daemons beside this one: who is live, what each does, whose registry is behind',
      async () => (await import('./commands/fleet.js')).fleetCommand,
    ),
  ],
  [
    'reload',
    entry(
      DAEMON,
      '',
      'let the daemon read registry, settings and certificates again',
      async () => (await import('./commands/reload.js')).reloadCommand,
    ),
  ],
  [
    'backup',
    entry(
      DAEMON,
      '<file>',
      'write registry, audit trail, tokens and breakers of the embedded database to a file, also while the daemon runs',
      async () => (await import('./commands/backup.js')).backupCommand,
    ),
  ],
  [
    'restore',
    entry(
      DAEMON,
      '<file>',
      'put a backup back, in place of all that is there; a running daemon notices',
      async () => (await import('./commands/restore.js')).restoreCommand,
    ),
  ],
  [
    'doctor',
    entry(
      DAEMON,
      '',
      'check configuration, machine, database, NATS and daemon, and say what to do; ends with 1 if something is wrong',
      async () => (await import('./commands/doctor.js')).doctorCommand,
    ),
  ],
  [
    'log-level',
    entry(
      DAEMON,
      '[level]',
      'show which lines the daemon logs, or set the level of all components or one, while it runs',
      async () => (await import('./commands/log-level.js')).logLevelCommand,
    ),
  ],
  [
    'token',
    entry(
      DAEMON,
      '<action> [name]',
      'make, list and revoke access tokens of the admin API, straight in the database',
      async () => (await import('./commands/token.js')).tokenCommand,
    ),
  ],
  [
    'console',
    entry(
      DAEMON,
      '',
      'print an address of the console that signs a browser in, once, within a minute',
      async () => (await import('./commands/sign-in.js')).consoleCommand,
    ),
  ],
  [
    'serve',
    entry(
      DAEMON,
      '',
      'run the daemon; SIGTERM and SIGINT stop it in order',
      async () => (await import('./commands/serve.js')).serveCommand,
    ),
  ],
  [
    'migrate',
    entry(
      DAEMON,
      '',
      'migrate the database to the schema of this version; creates the embedded one if it is missing',
      async () => (await import('./commands/migrate.js')).migrateCommand,
    ),
  ],
  [
    'check-config',
    entry(
      DAEMON,
      '',
      'validate the configuration, and check that serve can start with it here; report every problem (exit code 78)',
      async () => (await import('./commands/check-config.js')).checkConfigCommand,
    ),
  ],
  [
    'completion',
    entry(
      DAEMON,
      '<shell>',
      'print a script that completes commands and ids in bash, zsh or fish',
      async () => (await import('./commands/completion.js')).completionCommand,
    ),
  ],
]);
