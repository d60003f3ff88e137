// Which page an address is, and the file that holds it: each is loaded when it is opened first.
import type { ComponentType } from 'preact';
import { match, type PageProps } from '../url/paths.js';

interface Route {
  readonly pattern: string;
  readonly title: (params: PageProps['params']) => string;
  readonly load: () => Promise<{ readonly default: ComponentType<PageProps> }>;
}

const extension = () => import('../pages/extension-page.js');
const inspect = () => import('../inspect/page.js');

const ROUTES: readonly Route[] = [
  { pattern: '/', title: () => 'Overview', load: () => import('../pages/overview-page.js') },
  { pattern: '/ui/extensions/:id', title: ({ id = '' }) => id, load: extension },
  { pattern: '/ui/extensions/:id/policy', title: ({ id }) => `Policy of ${id}`, load: extension },
  { pattern: '/ui/extensions/:id/audit', title: ({ id }) => `Audit of ${id}`, load: extension },
  { pattern: '/ui/extensions/:id/explain', title: ({ id }) => `Explain ${id}`, load: extension },
  { pattern: '/ui/extensions/:id/try', title: ({ id }) => `Try ${id}`, load: extension },
  { pattern: '/ui/events', title: () => 'Events', load: () => import('../pages/events-page.js') },
  { pattern: '/ui/audit', title: () => 'Audit trail', load: () => import('../pages/audit-page.js') },
  { pattern: '/ui/status', title: () => 'The daemon', load: () => import('../pages/status-page.js') },
  { pattern: '/ui/fleet', title: () => 'The fleet', load: () => import('../pages/fleet-page.js') },
  { pattern: '/ui/tokens', title: () => 'Access tokens', load: () => import('../pages/tokens-page.js') },
  { pattern: '/ui/api', title: () => 'The admin API', load: () => import('../pages/api-page.js') },
  { pattern: '/ui/sign-in', title: () => 'Sign in', load: () => import('../pages/sign-in-page.js') },
  { pattern: '/ui/inspect', title: () => 'Inspect', load: inspect },
  {
    pattern: '/ui/inspect/supervisor',
    title: () => 'Supervisor',
    load: () => import('../inspect/supervisor-page.js'),
  },
  { pattern: '/ui/inspect/:id@:version', title: ({ id, version }) => `${id}@${version}`, load: inspect },
  { pattern: '/ui/bridge', title: () => 'Hosted inspector', load: () => import('../inspect/bridge.js') },
];

interface Match {
  readonly route: Route;
  readonly params: PageProps['params'];
}

/** null: no page is there. */
export function routeOf(path: string): Match | null {
  for (const route of ROUTES) {
    const params = match(route.pattern, path);
    if (params !== null) return { route, params };
  }
  return null;
}
