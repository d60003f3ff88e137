// What is wrong with the daemon itself, or with the connection to it: the first thing to know, so it stands above everything.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { nowMs } from '../live/clock.js';
import { connection, daemonIs, tryNow } from '../live/connection.js';
import { daemon, gap, summary } from '../live/news.js';
import { left, may, whoami } from '../live/session.js';
import { moment } from '../words/times.js';

/** A reload of a page, or a short break, is no news. */
const SHOWN_AFTER_MS = 3000;

const DEGRADED: Readonly<Record<string, string>> = {
  database:
    'Database away: calls are served from memory. Isolate, force closed, release and reset take effect immediately and are written when it is back; enable and disable wait.',
};
const WAITING: Readonly<Record<string, string>> = {
  nats: 'Not connected to NATS: no call is answered.',
  registry: 'The registry has not been read yet: no call is answered.',
  fleet: 'No other replica of the fleet is heard, and the setting fleet asks for one. Calls are served.',
  draining: 'The daemon is stopping: it accepts no further calls, and those in flight end.',
};

/** Whether the numbers of the page are old: they are drawn dim, and nothing can be done. */
export function useIsCut(): boolean {
  const isCut = useSignal(false);
  const { value } = connection;
  useEffect(() => {
    if (value.kind !== 'lost') {
      isCut.value = false;
      return;
    }
    const timer = setTimeout(
      () => {
        isCut.value = true;
      },
      Math.max(0, SHOWN_AFTER_MS - (Date.now() - value.sinceMs)),
    );
    return () => clearTimeout(timer);
  }, [value]);
  return isCut.value;
}

export function Banners({ isCut }: { readonly isCut: boolean }) {
  const news = daemon.value;
  const problems = isCut
    ? []
    : [
        ...(summary.value?.mass_failure === true
          ? [
              'Mass failure: more than half of the extensions with traffic fail. Nothing is disabled automatically. Suspect the daemon, NATS or the network first.',
            ]
          : []),
        ...(news?.waiting_for ?? []).map((what) => WAITING[what] ?? `Not ready: waiting for ${what}.`),
        ...(news?.reasons ?? []).map((reason) => `${reason}.`),
        ...(news?.degraded ?? []).map((what) => DEGRADED[what] ?? `Degraded: ${what}.`),
      ];
  return (
    <div class="banners">
      {isCut ? <Cut /> : null}
      {problems.map((problem) => (
        <p key={problem} class="banner" data-kind={news?.ready === false ? 'open' : 'half_open'} role="alert">
          {problem}
        </p>
      ))}
      <Notes isCut={isCut} />
    </div>
  );
}

/** `role="alert"`: a screen reader says it immediately. */
function Cut() {
  const { value } = connection;
  if (value.kind !== 'lost') return null;
  return (
    <p class="banner" data-kind="open" role="alert">
      <strong>Not connected since {moment(new Date(value.sinceMs), new Date())}.</strong> Numbers are from then.{' '}
      {value.why}.{' '}
      <button type="button" onClick={tryNow}>
        Try now
      </button>
    </p>
  );
}

const RESTART_SHOWN_MS = 60_000;

function Notes({ isCut }: { readonly isCut: boolean }) {
  const first = useSignal<string | null>(null);
  const is = daemonIs.value;
  if (first.value === null && is !== null) first.value = is.boot;
  const isRestarted = is !== null && is.boot !== first.value && nowMs.value - is.metAt < RESTART_SHOWN_MS;
  const role = whoami.value?.role;
  const missing = gap.value;
  return (
    <>
      {isRestarted && is !== null && !isCut ? (
        <p class="banner" data-kind="note">
          The daemon was started again: connected to it at {moment(new Date(is.metAt), new Date(nowMs.value))}.
        </p>
      ) : null}
      {connection.value.kind === 'polling' ? (
        <p class="banner" data-kind="note">
          Too many event streams are open: numbers are read every 10 seconds.
        </p>
      ) : null}
      {missing !== null ? (
        <p class="banner" data-kind="note">
          {missing.missed === null ? 'Events' : `${missing.missed} events`} were missed while this page was away:{' '}
          <a href={`/ui/audit${missing.since === null ? '' : `?since=${encodeURIComponent(missing.since)}`}`}>
            the audit trail
          </a>{' '}
          has them.{' '}
          <button
            type="button"
            class="quiet"
            onClick={() => {
              gap.value = null;
            }}
          >
            Close
          </button>
        </p>
      ) : null}
      {role !== undefined && !may('operator') && left.value === null ? (
        <p class="banner" data-kind="note">
          You may look. To act, <a href="/ui/sign-in">sign in as operator</a>.
        </p>
      ) : null}
    </>
  );
}
