// Options that many commands have: how they print, how they find a daemon, and whether they print again and again.
import { type Command, Option } from '#commander';
import { wrongUsage } from '../process/command-error.js';

export interface OutputOptions {
  readonly color?: string;
  readonly quiet?: true;
  readonly json?: true;
}

export const addOutputOptions = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--color <when>',
        'colour beside the words of states (default: auto; NO_COLOR, CLICOLOR_FORCE)',
      ).choices(['auto', 'always', 'never']),
    )
    .option('-q, --quiet', 'only what was asked for: no headings, notes and progress; of a change nothing');

export interface DaemonOptions {
  readonly url?: string;
  readonly tokenFile?: string;
}

export const addDaemonOptions = (command: Command): Command =>
  command
    .addOption(new Option('--url <url>', 'address of the daemon (default: the one that runs on the data directory)'))
    .addOption(
      new Option(
        '--token-file <file>',
        'a file with the token for it; also EXTENSION_REGISTRY_TOKEN, which holds the token itself',
      ),
    );

const DEFAULT_SECONDS = 2;

export interface WatchOptions {
  readonly watch?: number;
}

export const addWatchOption = (command: Command): Command =>
  command.addOption(
    new Option(
      '--watch [seconds]',
      `print it again and again, every ${DEFAULT_SECONDS} seconds; Ctrl-C ends it`,
    ).argParser(secondsOf),
  );

function secondsOf(given: string): number {
  const seconds = Number(given);
  if (!/^\d+(\.\d+)?$/.test(given) || seconds < 0.1 || seconds > 86_400)
    throw wrongUsage(`--watch: expected 0.1 to 86400 seconds, got '${given}'`);
  return seconds;
}

/** `--watch` takes no word after it but a number: `extreg health --watch pii_guard` is about pii_guard. */
export function withWatchSeconds(argv: readonly string[]): readonly string[] {
  const at = argv.indexOf('--watch');
  const end = argv.indexOf('--');
  if (at < 0 || (end >= 0 && end < at)) return argv;
  const following = argv[at + 1] ?? '';
  const isNumber = /^\d+(\.\d+)?$/.test(following);
  return [
    ...argv.slice(0, at),
    `--watch=${isNumber ? following : DEFAULT_SECONDS}`,
    ...argv.slice(at + (isNumber ? 2 : 1)),
  ];
}
