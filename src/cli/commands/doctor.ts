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
import { EXIT } from '../process/command-error.js';
import type { CommandIo } from '../process/command-io.js';

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
  const { failed, ok, skipped } = await import('../doctor/findings.js');
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
  const daemon = await findDaemon(config.data_dir);
  return [
    ok('configuration', 'is valid'),
    ...checkMachine(config, { ...io.env }, io.nodeVersion),
    ...(await checkDatabase(config)),
    ...(await checkNats(config, daemon)),
    daemon === null ? skipped('daemon', 'none of this data directory runs') : await checkDaemon(io, options),
  ];
}

function findingsText(findings: readonly Finding[], style: Style): string {
  const rows = findings.map(({ check, verdict, found }) => [check, verdict, found]);
  const advice = findings
    .filter((one) => one.advice !== null)
    .map(({ check, advice: what }) => `next: ${check}: ${what}\n`);
  return textTable(['CHECK', 'RESULT', 'FOUND'], rows, style) + advice.join('');
}
