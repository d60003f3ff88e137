// `extreg doctor`: what is wrong around the daemon, and what to do about it. Changes nothing; works with a daemon and without one.

import { Command } from '#commander';
import type { Config } from '../../config/config.js';
import { ConfigError } from '../../config/error.js';
import { findDaemon } from '../daemon/daemon-file.js';
import type { Finding } from '../doctor/findings.js';
import { commandConfig } from '../options/command-config.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { DaemonOptions, OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { json, textTable } from '../output/output.js';
import { type Style, styleOf } from '../output/style.js';
import { singleLine, widthOf, wrappedTo } from '../output/terminal-text.js';
import { EXIT } from '../process/command-error.js';
import type { CommandIo } from '../process/command-io.js';

/** Blanks between the columns of a table. */
const GAP = 2;
/** In a narrower terminal the table is cut. */
const MIN_FOUND_WIDTH = 24;

export const doctorCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('doctor').option('--json', 'print JSON'),
    'extreg doctor',
    'extreg doctor --json | jq .findings',
  ),
  settings: 'all',
  action: async (options: OutputOptions & DaemonOptions) => {
    io.ownProcess?.dropWasmOptimizer();
    const findings = await findingsOf(io, options);
    const isWell = findings.every(({ verdict }) => verdict !== 'failed');
    if (options.json) io.stdout.write(json({ ok: isWell, findings }));
    else if (!options.quiet) io.stdout.write(findingsText(findings, styleOf(io, options)));
    return isWell ? 0 : EXIT.answeredWithError;
  },
});

async function findingsOf(io: CommandIo, options: DaemonOptions): Promise<Finding[]> {
  const { failed, ok, reasonOf, skipped } = await import('../doctor/findings.js');
  let config: Config;
  try {
    ({ config } = await commandConfig(io, options));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const advice = 'correct the setting; extreg check-config --print shows where each comes from';
    return error.problems.map((problem) => failed('configuration', problem, advice));
  }
  const [{ checkMachine }, { checkDatabase }, { checkNats }, { checkDaemon }] = await Promise.all([
    import('../doctor/machine.js'),
    import('../doctor/database.js'),
    import('../doctor/nats.js'),
    import('../doctor/daemon.js'),
  ]);
  // What cannot be read there keeps nothing else from being checked.
  const found = await findDaemon(config.data_dir).catch((error: unknown) =>
    failed('daemon', reasonOf(error), 'remove it if no daemon runs, otherwise restart the daemon'),
  );
  const daemon = found !== null && 'verdict' in found ? null : found;
  const common = [
    ok('configuration', 'is valid'),
    ...checkMachine(config, { ...io.env }, io.nodeVersion),
    ...(await checkDatabase(config)),
    ...(await checkNats(config, daemon)),
  ];
  if (found === null) return [...common, skipped('daemon', 'none of this data directory runs')];
  return [...common, 'verdict' in found ? found : await checkDaemon(io, options)];
}

/** With a terminal of 80 columns in mind; advice that several findings share stands once. */
export function findingsText(findings: readonly Finding[], style: Style): string {
  const header = ['CHECK', 'RESULT', 'FOUND'];
  const leftOf = (column: 'check' | 'verdict') => Math.max(...findings.map((one) => widthOf(one[column]) + GAP));
  const width = style.width ?? Number.POSITIVE_INFINITY;
  const foundWidth = Math.max(MIN_FOUND_WIDTH, width - leftOf('check') - leftOf('verdict'));
  const rows = findings.flatMap(({ check, verdict, found }) =>
    // What was found is a sentence, of which a remedy may be the end: broken into lines, not cut.
    wrappedTo(singleLine(found), foundWidth).map((line, n) => (n === 0 ? [check, verdict, line] : ['', '', line])),
  );
  const advice = findings.flatMap(({ check, advice: what }) => (what === null ? [] : [`next: ${check}: ${what}`]));
  const lines = [...new Set(advice)].flatMap((line) => wrappedTo(singleLine(line), width));
  return textTable(header, rows, style) + lines.map((line) => `${line}\n`).join('');
}
