// `extreg replay <id> --policy <file>`: when the breaker would have opened under another policy, beside when it did.
import { Command } from '#commander';
import type { ReplayAnswer } from '../../domain/breaker/replay-answer.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import { extensionPath } from '../daemon/paths.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { DaemonOptions, OutputOptions } from '../options/common-options.js';
import { durationOf } from '../options/durations.js';
import { addExamples } from '../options/examples.js';
import { json } from '../output/output.js';
import { replayText } from '../output/replay-text.js';
import { styleOf } from '../output/style.js';
import { wrongUsage } from '../process/command-error.js';

interface ReplayOptions extends OutputOptions, DaemonOptions {
  readonly policy: string;
  readonly since?: string;
}

export const replayCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('replay')
      .argument('<id>', 'extension')
      .requiredOption('--policy <file>', 'the whole policy as JSON or YAML; - is standard input')
      .option('--since <time>', 'only what was from then on: a time such as 2026-01-27T12:00, or a duration such as 2h')
      .option('--json', 'print JSON'),
    'extreg replay pii_guard --policy new.json',
    'extreg replay pii_guard --policy new.json --since 2h --json',
  ),
  settings: 'http',
  action: async (id: string, options: ReplayOptions) => {
    const since = options.since === undefined ? {} : { since: timeOf(options.since) };
    const policy = await policyIn(io, options.policy);
    const daemon = await DaemonClient.of(io, options);
    const answer = await daemon.json<ReplayAnswer>(extensionPath(id, 'replay'), { policy, ...since });
    io.stdout.write(options.json ? json(answer) : replayText(answer, styleOf(io, options)));
  },
});

/** ISO 8601. */
function timeOf(given: string): string {
  const atMs = /^\d{4}-/.test(given)
    ? Date.parse(given)
    : Date.now() - durationOf('--since', given, 'a time such as 2026-01-27T12:00 or a duration such as 2h');
  if (Number.isNaN(atMs)) throw wrongUsage(`--since: expected a time such as 2026-01-27T12:00, got '${given}'`);
  return new Date(atMs).toISOString();
}

async function policyIn(io: Parameters<CommandFactory>[0], file: string): Promise<object> {
  const { formatOf, readRegistryDocument } = await import('../registry/registry-document.js');
  const { withoutExactNumbers } = await import('../../domain/exact-json.js');
  const tree = withoutExactNumbers(await readRegistryDocument(io, file, formatOf(file, undefined)));
  if (typeof tree === 'object' && tree !== null && !Array.isArray(tree)) return tree;
  throw wrongUsage(`--policy: ${file} must hold a policy, such as {"breaker": {"failure_threshold": 3}}`);
}
