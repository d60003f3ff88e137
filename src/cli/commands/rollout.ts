// `extreg rollout <id> [<version> <percent|none>]`: which version takes which share of the calls, what it was, and what it is to be.
import { Command } from '#commander';
import { percentProblem } from '../../domain/registry/rollout.js';
import type { RolloutSet, RolloutShares } from '../../domain/registry/rollout-answer.js';
import { adminJson } from '../daemon/admin-request.js';
import { adminUrl } from '../daemon/admin-url.js';
import type { CommandFactory } from '../options/command-definition.js';
import { json, textTable } from '../output/output.js';
import { CommandError, EXIT } from '../process/command-error.js';

const NONE = 'none';

interface RolloutOptions {
  readonly reason?: string;
  readonly limit?: string;
  readonly json?: true;
}

export const rolloutCommand: CommandFactory = (io) => ({
  command: new Command('rollout')
    .description('show which version takes which share of the calls, or give a version its percentage')
    .argument('<id>', 'extension')
    .argument('[version]', 'version to give a percentage')
    .argument(
      '[percent]',
      `0 to 100, at most two digits after the point; ${NONE}: no percentage, which makes the highest such version the default`,
    )
    .option('--reason <text>', 'why, for the audit trail; needed with a percentage')
    .option('--limit <n>', 'changes to show, 1 to 200 (default: 20)')
    .option('--json', 'print JSON'),
  settings: 'http',
  action: async (id: string, version: string | undefined, percent: string | undefined, options: RolloutOptions) => {
    const order = version === undefined ? null : orderOf(version, percent, options);
    const query = order === null ? queryOf(options) : '';
    const base = await adminUrl(io, options);
    const url = `${base}/admin/extensions/${encodeURIComponent(id)}/rollout${query}`;
    const answer = await (order === null ? adminJson(url) : adminJson(url, { ...order, by: io.userName() }));
    if (options.json) io.stdout.write(json(answer));
    else io.stdout.write(order === null ? reportText(answer as RolloutShares) : setText(answer as RolloutSet));
  },
});

function orderOf(version: string, given: string | undefined, { reason, limit }: RolloutOptions) {
  if (given === undefined) throw wrong(`percent: expected 0 to 100 or ${NONE} after version '${version}', got nothing`);
  if (limit !== undefined) throw wrong('--limit: has a meaning only without a percentage');
  if (reason === undefined) throw wrong('--reason: expected why, for the audit trail, got nothing');
  return { version, percent: percentOf(given), reason };
}

function queryOf({ reason, limit }: RolloutOptions): string {
  if (reason !== undefined) throw wrong('--reason: has a meaning only with a version and a percentage');
  if (limit === undefined) return '';
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > 200)
    throw wrong(`--limit: expected 1 to 200, got '${limit}'`);
  return `?limit=${limit}`;
}

function percentOf(given: string): number | null {
  if (given === NONE) return null;
  const isDecimal = /^-?\d+(\.\d+)?$/.test(given);
  if (!isDecimal || percentProblem(Number(given)) !== null)
    throw wrong(`percent: expected 0 to 100 with at most two digits after the point, or ${NONE}, got '${given}'`);
  return Number(given);
}

const wrong = (message: string): CommandError => new CommandError(EXIT.usage, message);
const percentText = (percent: number | null): string => (percent === null ? NONE : String(percent));

function setText({ extension_id, version, percent, was, changed, revision, in_force }: RolloutSet): string {
  const table = textTable(
    ['ID', 'VERSION', 'PERCENT', 'BEFORE', 'REVISION', 'IN FORCE'],
    [[extension_id, version, percentText(percent), percentText(was), String(revision), in_force ? 'yes' : 'not yet']],
  );
  const notes = [
    ...(changed ? [] : ['it was so already: nothing was written']),
    ...(in_force ? [] : ['written, but not in force on this daemon: its log says why where the row is refused']),
  ];
  return notes.length === 0 ? table : `${table}\n${notes.map((note) => `${note}\n`).join('')}`;
}

function reportText({ default_version, versions, history }: RolloutShares): string {
  const shares = textTable(
    ['VERSION', 'SHARE', 'PERCENT', 'DEFAULT', 'ENABLED', 'RULES', 'KEY'],
    versions.map((v) => [
      v.version,
      v.share === null ? '-' : `${Number(v.share.toFixed(2))} %`,
      percentText(v.percent),
      yesNo(v.version === default_version),
      yesNo(v.enabled),
      yesNo(v.has_rules),
      v.rollout_key ?? '-',
    ]),
  );
  if (history.length === 0) return shares;
  const changes = textTable(
    ['AT', 'VERSION', 'FROM', 'TO', 'BY', 'REASON'],
    history.map((one) => [
      one.at,
      one.version,
      percentText(one.from),
      percentText(one.to),
      one.by ?? '-',
      one.reason ?? '-',
    ]),
  );
  return `${shares}\n${changes}`;
}

const yesNo = (value: boolean): string => (value ? 'yes' : 'no');
