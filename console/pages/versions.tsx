// The versions of an extension: which calls each gets, and how each does.

import type { ExtensionHealth } from '../../src/domain/health/health-schema.js';
import { askRollout } from '../actions/verb-actions.js';
import { useReading } from '../live/reading.js';
import { may } from '../live/session.js';
import { StateMark } from '../parts/state-mark.js';
import { Table } from '../parts/table.js';
import { inspectPath } from '../url/paths.js';
import { ms, NONE, percent } from '../words/numbers.js';
import { stateOf } from '../words/reasons.js';
import { valueText } from '../words/why.js';
import type { ExtensionRow, VersionRow } from './extension-row.js';

interface Shares {
  readonly default_version: string | null;
  readonly versions: readonly { readonly version: string; readonly share: number | null }[];
}

interface VersionsProps {
  readonly id: string;
  readonly health: ExtensionHealth | null;
  readonly row: ExtensionRow;
}

export function Versions({ id, health, row }: VersionsProps) {
  const { value: shares } = useReading<Shares>(`/admin/extensions/${encodeURIComponent(id)}/rollout?limit=1`, {
    key: row.versions.map(({ revision }) => revision).join(),
  });
  if (row.versions.length === 0)
    return (
      <section aria-labelledby="versions-title">
        <h2 id="versions-title">Versions</h2>
        <p>
          One version, {row.version}: {row.subject}, timeout {row.timeout_ms} ms, {row.retry} retries.
        </p>
      </section>
    );
  return (
    <section aria-labelledby="versions-title">
      <h2 id="versions-title">Versions</h2>
      <Table
        label="Table of versions"
        columns={[
          'Version',
          'State',
          'Calls it gets',
          ['Success', 'number'],
          ['P95 ms', 'number'],
          'Subject',
          ['Timeout ms', 'number'],
          ['Retries', 'number'],
          ['Actions', 'hidden'],
        ]}
      >
        {versionsOf(row, health).map((version) => (
          <Version key={version.version} id={id} version={version} health={health} shares={shares} />
        ))}
      </Table>
    </section>
  );
}

interface ShownVersion extends VersionRow {
  /** False: it is what the row of the extension says, so it has no share of its own to set. */
  readonly isRow: boolean;
}

/** The default version first where it is the extension's own row, as `health` has it: most calls may be its. */
function versionsOf(row: ExtensionRow, health: ExtensionHealth | null): readonly ShownVersion[] {
  const own = row.versions.map((version) => ({ ...version, isRow: true }));
  const isOwn = own.some(({ version }) => version === row.version);
  if (isOwn || !health?.versions.some(({ version }) => version === row.version)) return own;
  const { version, subject, timeout_ms, retry, enabled, revision, in_force, refused } = row;
  const settings = { version, subject, timeout_ms, retry, enabled, revision, in_force, refused };
  const none = { breaker_override: null, routing_rules: {}, rollout_percent: null, rollout_key: null };
  return [{ ...settings, ...none, isRow: false }, ...own];
}

interface VersionProps {
  readonly id: string;
  readonly version: ShownVersion;
  readonly health: ExtensionHealth | null;
  readonly shares: Shares | null;
}

function Version({ id, version, health, shares }: VersionProps) {
  const { version: name, rollout_percent: share } = version;
  const measured = health?.versions.find((one) => one.version === name);
  const rest = shares?.default_version ?? null;
  const state =
    measured === undefined
      ? null
      : stateOf({
          enabled: measured.enabled,
          auto_disabled: false,
          override: measured.override,
          health: measured,
        });
  return (
    <tr>
      <th scope="row" class="long">
        <a href={inspectPath(id, name)} title="Its statechart, live">
          {name}
        </a>
      </th>
      <td>
        {state === null ? NONE : <StateMark state={state} notes={version.refused === null ? [] : ['row refused']} />}
      </td>
      <td class="long">{callsOf(version, shares)}</td>
      <td class="number measured">{percent(measured?.success_rate)}</td>
      <td class="number measured">{ms(measured?.p95_latency_ms)}</td>
      <td class="long">{version.subject}</td>
      <td class="number">{version.timeout_ms}</td>
      <td class="number">{version.retry}</td>
      <td>
        {may('operator') && version.isRow && Object.keys(version.routing_rules).length === 0 ? (
          <button type="button" onClick={() => askRollout(id, name, share, rest === name ? null : rest)}>
            Rollout
          </button>
        ) : null}
      </td>
    </tr>
  );
}

/** Rules come first, then shares, then the default takes what is left. */
function callsOf({ version, routing_rules: rules, rollout_key: key }: VersionRow, shares: Shares | null): string {
  const all = Object.entries(rules).map(([name, value]) => `${name} = ${valueText(value)}`);
  if (all.length > 0) return `where ${all.join(' and ')}`;
  const share = shares?.versions.find((one) => one.version === version)?.share ?? null;
  if (share !== null) return `${share} % of what no rules take${key === null ? '' : `, by ${key}`}`;
  return shares?.default_version === version ? 'what is left' : 'none';
}
