// `extreg rollout <id> [<version> <percent|none>]`: which version takes which share of the calls, what it was, and what it is to be.

import { Command } from '#commander';
import { percentProblem } from '../../domain/registry/rollout.js';
import type { RolloutSet, RolloutShares } from '../../domain/registry/rollout-answer.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import type { CommandFactory } from '../options/command-definition.js';
import {
  addWatchOption,
  type DaemonOptions,
  type OutputOptions,
  type WatchOptions,
} from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { json, jsonLine, textTable } from '../output/output.js';
import { type Style, styleOf } from '../output/style.js';
import { singleLine } from '../output/terminal-text.js';
import { wrongUsage as wrong } from '../process/command-error.js';
import { type ConfirmOptions, confirm, confirmByName, requiredReason } from '../process/confirm.js';
import { printed } from '../process/repeat.js';

const NONE = 'none';

interface RolloutOptions extends OutputOptions, WatchOptions, DaemonOptions, ConfirmOptions {
  readonly reason?: string;
  readonly limit?: string;
}

export const rolloutCommand: CommandFactory = (io) => ({
  command: addExamples(
    addWatchOption(
      new Command('rollout')
        .argument('<id>', 'extension')
        .argument('[version]', 'version to give a percentage')
        .argument(
          '[percent]',
          `0 to 100, at most two digits after the point; ${NONE}: no percentage, which makes the highest such version the default`,
        )
        .option('--reason <text>', 'why, for the audit trail; needed with a percentage, asked for on a terminal')
        .option('--limit <n>', 'changes to show, 1 to 200 (default: 20)')
        .option('--yes', 'without asking; 100 needs it where no terminal can be asked')
        .option('--json', 'print JSON'),
    ),
    'extreg rollout pii_guard',
    "extreg rollout pii_guard v2 5 --reason 'v2 knows ligatures'",
    "extreg rollout pii_guard v2 0 --reason 'back to v1'",
  ),
  settings: 'http',
  action: async (id: string, version: string | undefined, percent: string | undefined, options: RolloutOptions) => {
    const path = `/admin/extensions/${encodeURIComponent(id)}/rollout`;
    const style = styleOf(io, options);
    if (version === undefined) {
      const query = queryOf(options);
      const daemon = await DaemonClient.of(io, options);
      return printed(io, options.watch, async () => {
        const shares = await daemon.json<RolloutShares>(`${path}${query}`);
        const asJson = options.watch === undefined ? json : jsonLine;
        return { text: options.json ? asJson(shares) : reportText(shares, style) };
      });
    }
    const order = orderOf(version, percent, options);
    const reason = await requiredReason(io, options);
    const daemon = await DaemonClient.of(io, options);
    const of = singleLine(`version ${version} of ${id}`);
    const question = `This gives ${of} ${order.percent === null ? 'no percentage' : `${order.percent} % of the calls`}.`;
    if (order.percent === 100) await confirmByName(io, { question, name: id }, options);
    else await confirm(io, question, options);
    const answer = await daemon.json<RolloutSet>(path, { ...order, reason, ...daemon.by(io) });
    if (options.json) io.stdout.write(json(answer));
    else if (!style.quiet) io.stdout.write(setText(answer, style));
    return 0;
  },
});

function orderOf(version: string, given: string | undefined, { limit, watch }: RolloutOptions) {
  if (given === undefined) throw wrong(`percent: expected 0 to 100 or ${NONE} after version '${version}', got nothing`);
  if (limit !== undefined) throw wrong('--limit: has a meaning only without a percentage');
  if (watch !== undefined) throw wrong('--watch: has a meaning only without a percentage');
  return { version, percent: percentOf(given) };
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

const percentText = (percent: number | null): string => (percent === null ? NONE : String(percent));

function setText(answer: RolloutSet, style: Style): string {
  const { extension_id, version, percent, was, changed, revision, in_force } = answer;
  const table = textTable(
    ['ID', 'VERSION', 'PERCENT', 'BEFORE', 'REVISION', 'IN FORCE'],
    [[extension_id, version, percentText(percent), percentText(was), String(revision), in_force ? 'yes' : 'not yet']],
    style,
  );
  const notes = [
    ...(changed ? [] : ['already set; no change']),
    ...(in_force ? [] : ['written, but not in force on this daemon: its log says why where the row is refused']),
  ];
  return notes.length === 0 ? table : `${table}\n${notes.map((note) => `${note}\n`).join('')}`;
}

function reportText({ default_version, versions, history }: RolloutShares, style: Style): string {
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
    style,
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
    style,
  );
  return `${shares}\n${changes}`;
}

const yesNo = (value: boolean): string => (value ? 'yes' : 'no');
