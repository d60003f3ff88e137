// The first tab of an extension: statechart, history, versions, instances, and what failed last.
import type { ExtensionHealth } from '../../src/domain/health/health-schema.js';
import { may } from '../live/session.js';
import { Lazy } from '../parts/lazy.js';
import { queryValue, setQuery } from '../url/address.js';
import { inspectPath } from '../url/paths.js';
import type { ExtensionRow } from './extension-row.js';
import { Failures } from './failures.js';
import { Instances } from './instances.js';
import { Versions } from './versions.js';

const chart = () => import('../statechart/panel.js');
const history = () => import('../charts/history.js');

interface StateProps {
  readonly id: string;
  readonly health: ExtensionHealth | null;
  readonly row: ExtensionRow;
}

export function ExtensionState({ id, health, row }: StateProps) {
  const standard = health?.version ?? row.version;
  const names = (health?.versions ?? []).map(({ version }) => version);
  const asked = queryValue('version');
  const version = names.includes(asked) ? asked : standard;
  return (
    <>
      {names.length < 2 ? null : (
        <label>
          Version{' '}
          <select value={version} onChange={({ currentTarget }) => setQuery({ version: currentTarget.value })}>
            {names.map((name) => (
              <option key={name} value={name}>
                {name}
                {name === standard ? ' (default)' : ''}
              </option>
            ))}
          </select>
        </label>
      )}
      <section class="history-part" aria-labelledby="history-title">
        <h2 id="history-title">History of {version}</h2>
        <Lazy load={history} props={{ id, version }} />
      </section>
      <section class="chart-part" aria-labelledby="chart-title">
        <h2 id="chart-title">
          Statechart of {version}{' '}
          <a class="small" href={inspectPath(id, version)}>
            open the inspector
          </a>
        </h2>
        <Lazy load={chart} props={{ id, version }} />
      </section>
      <Versions id={id} health={health} row={row} />
      <Instances id={id} health={health} row={row} />
      {may('operator') ? <Failures id={id} version={version} /> : null}
    </>
  );
}
