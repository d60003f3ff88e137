// Makes the registry what a file says: reads the file, compares it with what is stored, and writes the difference.
import { readRegistryRows, writeRegistryChanges } from '../../db/queries/registry-file-queries.js';
import { stringifyExactJson } from '../../domain/exact-json.js';
import { parseRegistryFile } from '../../domain/registry-file/registry-file.js';
import { conflictsWithStored } from '../../domain/registry-file/registry-file-conflicts.js';
import { diffRegistryFile, type FileDiff, massPruneProblem } from '../../domain/registry-file/registry-file-diff.js';
import { commandConfig } from '../options/command-config.js';
import { countText } from '../output/output.js';
import { printable, printableJson } from '../output/terminal-text.js';
import { CommandError, EXIT } from '../process/command-error.js';
import type { CommandIo } from '../process/command-io.js';
import { confirmByName } from '../process/confirm.js';
import { changeLines, changesForPrograms } from './registry-changes.js';
import { subjectRules, withRegistry } from './registry-database.js';
import { formatOf, readRegistryDocument } from './registry-document.js';

/** How often the difference is computed again because the registry was changed in between. */
const ATTEMPTS = 5;
/** What the columns hold. */
const MAX_ACTOR = 255;

export interface ImportOptions {
  readonly format?: string;
  readonly as?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly yes?: true;
  readonly quiet?: true;
}

/** Rejects with a CommandError. */
export async function importRegistry(io: CommandIo, file: string, options: ImportOptions): Promise<void> {
  if (options.force && !options.prune) throw new CommandError(EXIT.usage, '--force: has a meaning only with --prune');
  const actor = actorOf(options.as, io);
  const format = formatOf(file, options.format);
  const { config } = await commandConfig(io, options);
  const read = parseRegistryFile(await readRegistryDocument(io, file, format), subjectRules(config));
  if ('problems' in read) throw new CommandError(EXIT.file, problemText(file, read.problems));

  if (options.prune && !options.dryRun) {
    const question = `This deletes what ${file === '-' ? 'standard input' : file} lacks (--dry-run shows it).`;
    await confirmByName(io, { question, name: 'prune' }, options);
  }
  const diff = await withRegistry(config, 'extreg import', async (db) => {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const stored = await readRegistryRows(db);
      const found = diffRegistryFile(stored, read.rows, { prune: options.prune === true });
      const conflicts = conflictsWithStored(stored, found);
      if (conflicts.length > 0) throw new CommandError(EXIT.file, problemText(file, conflicts));
      const tooMuch = options.force ? null : massPruneProblem(stored, found);
      if (tooMuch !== null && !options.dryRun)
        throw new CommandError(EXIT.answeredWithError, `${tooMuch}; nothing was written, --force does it`, {
          next: 'see what it deletes with --dry-run',
        });
      if (options.dryRun) return { ...found, tooMuch };
      if ((await writeRegistryChanges(db, found.changes, { actor, reason: options.reason ?? '' })) === 'written')
        return { ...found, tooMuch: null };
    }
    throw new CommandError(
      EXIT.answeredWithError,
      'the registry is being changed all the time; nothing was written, try again',
    );
  });
  // A dry run is what was asked for.
  if (options.json) io.stdout.write(forPrograms(diff, options));
  else if (options.dryRun || !options.quiet) io.stdout.write(printable(forPeople(diff, options)));
}

function actorOf(given: string | undefined, io: CommandIo): string {
  const actor = given ?? `cli:${io.userName()}`;
  if (!/^[^\p{Cc}]+$/u.test(actor) || actor.length > MAX_ACTOR)
    throw new CommandError(EXIT.usage, `--as: expected 1 to ${MAX_ACTOR} characters, got ${JSON.stringify(actor)}`);
  // The names of the daemon's own parts, by which its triggers recognise who decided.
  if (actor.startsWith('system:'))
    throw new CommandError(EXIT.usage, `--as: names that begin with system: are the daemon's, got '${actor}'`);
  return actor;
}

const problemText = (file: string, problems: readonly string[]): string =>
  [
    `${file === '-' ? 'standard input' : file} is not valid, and nothing was written; ${countText(problems.length, 'problem')}:`,
    ...problems.map((problem) => `  ${problem}`),
  ].join('\n');

type ImportReport = FileDiff & { readonly tooMuch: string | null };

function forPeople(diff: ImportReport, { dryRun, prune }: ImportOptions): string {
  const lines = diff.changes.flatMap(changeLines);
  const count = (action: string) => diff.changes.filter((change) => change.action === action).length;
  const counts = [
    `${count('create')} ${dryRun ? 'to create' : 'created'}`,
    `${count('change')} ${dryRun ? 'to change' : 'changed'}`,
    ...(prune ? [`${count('delete')} ${dryRun ? 'to delete' : 'deleted'}`] : []),
    `${diff.unchanged} unchanged`,
  ];
  const end = dryRun ? '; nothing was written' : '';
  const warning = diff.tooMuch === null ? [] : [`${diff.tooMuch}: without --dry-run this needs --force`];
  return [...lines, `${counts.join(', ')}${end}`, ...warning].map((line) => `${line}\n`).join('');
}

function forPrograms(diff: ImportReport, { dryRun }: ImportOptions): string {
  const count = (action: string) => diff.changes.filter((change) => change.action === action).length;
  const summary = {
    create: count('create'),
    change: count('change'),
    delete: count('delete'),
    unchanged: diff.unchanged,
    needs_force: diff.tooMuch !== null,
  };
  return `${printableJson(stringifyExactJson({ dry_run: dryRun === true, summary, changes: changesForPrograms(diff.changes) }, 2))}\n`;
}
