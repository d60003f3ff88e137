// The bar at the top: where this is, whether it is live, what time it is, and who is looking.

import { request } from '../live/api.js';
import { isPaused, resume } from '../live/board.js';
import { nowMs } from '../live/clock.js';
import { connection } from '../live/connection.js';
import { forget, left, whoami } from '../live/session.js';
import { address } from '../url/address.js';
import { absolute, clock, utcClock } from '../words/times.js';

const PAGES = [
  ['/', 'Overview'],
  ['/ui/events', 'Events'],
  ['/ui/audit', 'Audit'],
  ['/ui/inspect', 'Inspect'],
  ['/ui/status', 'Status'],
  ['/ui/fleet', 'Fleet'],
  ['/ui/tokens', 'Tokens'],
  ['/ui/api', 'API'],
] as const;

const isCurrent = (page: string, path: string): boolean =>
  page === '/' ? path === '/' || path.startsWith('/ui/extensions/') : path === page || path.startsWith(`${page}/`);

export function Header() {
  const { path } = address.value;
  const isAdmin = whoami.value?.role === 'admin';
  const pages = PAGES.filter(([page]) => page !== '/ui/tokens' || isAdmin);
  return (
    <header class="bar">
      <a class="brand" href="/">
        Extension Registry
      </a>
      <nav aria-label="Pages">
        {pages.map(([page, title]) => (
          <a key={page} href={page} aria-current={isCurrent(page, path) ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <span class="bar-end">
        <LiveState />
        <Clock />
        <Who />
      </span>
    </header>
  );
}

const LIVE_WORDS = {
  connecting: 'connecting …',
  live: 'live',
  polling: 'every 10 s',
  resting: 'resting',
  lost: 'not connected',
} as const;

function LiveState() {
  const { kind } = connection.value;
  // Nothing is connected before that.
  if (left.value !== null) return <span class="dim">not signed in</span>;
  const paused = isPaused.value && kind === 'live';
  return (
    <button
      type="button"
      class="quiet live"
      data-live={paused ? 'paused' : kind}
      title={paused ? 'Show what has come meanwhile (p)' : 'Hold the numbers as they are (p)'}
      onClick={togglePause}
    >
      <span aria-hidden="true" class="live-dot" /> {paused ? 'paused' : LIVE_WORDS[kind]}
    </button>
  );
}

export function togglePause(): void {
  if (isPaused.value) resume();
  else isPaused.value = true;
}

function Clock() {
  const at = new Date(nowMs.value);
  return (
    <span class="clock" title={absolute(at)}>
      {clock(at)} <span class="dim">({utcClock(at)})</span>
    </span>
  );
}

function Who() {
  const who = whoami.value;
  if (who === null) return null;
  if (who.kind === 'open')
    return (
      <span class="dim" title="No token exists yet, so every account of this host may do everything.">
        no sign-in, admin
      </span>
    );
  const leave = () => {
    const signOut = who.kind === 'sign_in' ? request('/admin/logout', { method: 'POST' }) : Promise.resolve();
    signOut.catch(() => undefined).finally(() => forget('signed_out'));
  };
  return (
    <span>
      {who.name}, {who.role}{' '}
      <button type="button" class="quiet" onClick={leave}>
        Sign out
      </button>
    </span>
  );
}
