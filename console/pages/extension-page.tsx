// `/ui/extensions/<id>` and its tabs: one extension, from its state to the last call that failed.
import type { ExtensionHealth } from '../../src/domain/health/health-schema.js';
import { membership, rowOf } from '../live/board.js';
import { useReading } from '../live/reading.js';
import { Lazy } from '../parts/lazy.js';
import { Empty, Fault, Loading } from '../parts/states.js';
import { address } from '../url/address.js';
import { type ExtensionTab, extensionPath, type PageProps } from '../url/paths.js';
import { ExtensionHead } from './extension-head.js';
import type { ExtensionRow } from './extension-row.js';
import { ExtensionState } from './extension-state.js';

const policyTab = () => import('./policy-tab.js');
const auditTab = () => import('./audit-tab.js');
const explainTab = () => import('./explain-tab.js');
const tryTab = () => import('./try-tab.js');

const TABS: readonly (readonly [tab: ExtensionTab | undefined, title: string])[] = [
  [undefined, 'State'],
  ['policy', 'Policy'],
  ['audit', 'Audit'],
  ['explain', 'Explain'],
  ['try', 'Try it'],
];

/** By its id: what was typed and answered for one extension is not shown for another. */
export default function ExtensionPage({ params: { id = '' } }: PageProps) {
  return <Extension key={id} id={id} />;
}

function Extension({ id }: { readonly id: string }) {
  membership.value;
  const entry = rowOf(id)?.entry.value;
  const base = `/admin/extensions/${encodeURIComponent(id)}`;
  const key = `${entry?.state} ${entry?.since} ${entry?.flags}`;
  const health = useReading<ExtensionHealth>(`${base}/health`, { key, every: 3000 });
  const row = useReading<ExtensionRow>(`${base}?expand=versions,instances`, { key, every: 5000 });
  const problem = row.problem ?? health.problem;
  // Or a name that no extension can have.
  if (problem?.code === 'extension_not_found' || problem?.status === 400)
    return (
      <div class="page">
        <h1>{id}</h1>
        <Empty>
          <p>There is no extension of this name. It may have been deleted.</p>
          <p>
            <a href={`/ui/audit?extension_id=${encodeURIComponent(id)}`}>Its audit trail</a> ·{' '}
            <a href="/">All extensions</a>
          </p>
        </Empty>
      </div>
    );
  return (
    <div class="page">
      <ExtensionHead id={id} health={health.value} row={row.value} />
      <Tabs id={id} />
      {problem !== null && row.value === null ? (
        <Fault
          what="This extension cannot be read"
          detail={problem.detail}
          code={problem.code}
          onRetry={() => {
            row.again();
            health.again();
          }}
        />
      ) : row.value === null ? (
        <Loading lines={8} />
      ) : (
        <Tab id={id} health={health.value} row={row.value} />
      )}
    </div>
  );
}

const tabIn = (path: string): ExtensionTab | undefined =>
  TABS.find(([tab]) => tab !== undefined && path.endsWith(`/${tab}`) && path.split('/').length === 5)?.[0];

function Tabs({ id }: { readonly id: string }) {
  const current = tabIn(address.value.path);
  return (
    <nav class="tabs" aria-label="About this extension">
      {TABS.map(([tab, title]) => (
        <a key={title} href={extensionPath(id, tab)} aria-current={tab === current ? 'page' : undefined}>
          {title}
        </a>
      ))}
    </nav>
  );
}

interface TabProps {
  readonly id: string;
  readonly health: ExtensionHealth | null;
  readonly row: ExtensionRow;
}

function Tab({ id, health, row }: TabProps) {
  switch (tabIn(address.value.path)) {
    case 'policy':
      return <Lazy load={policyTab} props={{ id }} />;
    case 'audit':
      return <Lazy load={auditTab} props={{ id }} />;
    case 'explain':
      return <Lazy load={explainTab} props={{ id }} />;
    case 'try':
      return <Lazy load={tryTab} props={{ id }} />;
    default:
      return <ExtensionState id={id} health={health} row={row} />;
  }
}
