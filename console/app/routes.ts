// Which page an address is, and the file that holds it: each is loaded when it is opened first.
import type { ComponentType } from 'preact';
import { match, type PageProps } from '../url/paths.js';

export interface Route {
  readonly pattern: string;
  readonly title: (params: PageProps['params']) => string;
  readonly load: () => Promise<{ readonly default: ComponentType<PageProps> }>;
}

const inspect = () => import('../inspect/page.js');

export const ROUTES: readonly Route[] = [
  { pattern: '/', title: () => 'Overview', load: () => import('../pages/overview-page.js') },
  { pattern: '/ui/sign-in', title: () => 'Sign in', load: () => import('../pages/sign-in-page.js') },
  { pattern: '/ui/inspect', title: () => 'Inspect', load: inspect },
  { pattern: '/ui/inspect/:id@:version', title: ({ id, version }) => `${id}@${version}`, load: inspect },
  { pattern: '/ui/bridge', title: () => 'Hosted inspector', load: inspect },
];

export interface Match {
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
