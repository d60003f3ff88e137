// `/ui/bridge`: a hosted XState inspector in a frame, which gets the frames of the inspection from this page.
//
// BRIDGE-1. Nothing is loaded from there and nothing is sent before the reader has agreed.
// BRIDGE-2. Frames are posted to exactly the origin of the configured page, and only messages of that origin and that frame are heard.
// BRIDGE-3. The document of this page alone may have such a frame: it is loaded as a document, and left as one.
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Fault } from '../parts/states.js';
import type { ConnectionState } from '../statechart/actor-connection.js';
import { connect, type Selection, selectionOf } from '../statechart/live-actor.js';
import { NoConnection } from '../statechart/no-connection.js';
import { queryValue } from '../url/address.js';

const CONNECTED = '@statelyai.connected';
const PATH = '/ui/bridge';

/** '' where none is configured; null where this document was not loaded as the bridge's. */
const inspectorUrl = (): string | null =>
  document.querySelector<HTMLMetaElement>('meta[name="extreg-inspector"]')?.content ?? null;

export default function Bridge() {
  const url = inspectorUrl();
  const hasAgreed = useSignal(false);
  // BRIDGE-3.
  useEffect(() => {
    if (url === null) location.reload();
    return () => {
      if (location.pathname !== PATH) location.reload();
    };
  }, []);
  const name = queryValue('actor') || '*';
  const selection = selectionOf(name);
  return (
    <div class="page">
      <h1>Hosted inspector</h1>
      {url === null ? null : url === '' ? (
        <NotConfigured />
      ) : selection === null ? (
        <Fault what="Nothing to inspect" detail={`actor=${name} is no actor: <extension>@<version>, supervisor or *`} />
      ) : hasAgreed.value ? (
        <Frame url={url} selection={selection} />
      ) : (
        <Question url={url} name={name} onAgree={() => (hasAgreed.value = true)} />
      )}
    </div>
  );
}

const NotConfigured = () => (
  <p>
    No hosted inspector is configured. The setting <code>inspector_url</code> names its page, such as{' '}
    <code>https://stately.ai/inspect</code>. Without it, <a href="/ui/inspect">the inspector of this console</a> shows
    the same statecharts and sends nothing anywhere.
  </p>
);

interface QuestionProps {
  readonly url: string;
  readonly name: string;
  readonly onAgree: () => void;
}

/** BRIDGE-1. */
function Question({ url, name, onAgree }: QuestionProps) {
  const { origin } = new URL(url);
  return (
    <>
      <p>
        This loads <code>{url}</code> into a frame of this page and sends it the frames of{' '}
        <strong>{name === '*' ? 'every actor (200 at most)' : name}</strong>: names of extensions and versions, states,
        events and the part of the contexts that the inspection shows, with settings, times and counts. No payload and
        no header of a call is among them. From this browser they go to {origin}, whose operator decides what is done
        with them there.
      </p>
      <p>
        <button type="button" class="main-button" onClick={onAgree}>
          Load it and send
        </button>{' '}
        <a href="/ui/inspect">Stay here: inspect in this console</a>
      </p>
    </>
  );
}

interface FrameProps {
  readonly url: string;
  readonly selection: Selection | 'all';
}

function Frame({ url, selection }: FrameProps) {
  const frame = useRef<HTMLIFrameElement>(null);
  const sent = useSignal(0);
  const isHeard = useSignal(false);
  const connection = useSignal<ConnectionState>({ kind: 'connecting' });
  const retry = useRef<() => void>(() => undefined);
  const { origin } = new URL(url);
  useEffect(() => {
    let end = (): void => undefined;
    const onMessage = ({ data, origin: from, source }: MessageEvent) => {
      const target = frame.current?.contentWindow;
      // BRIDGE-2.
      if (from !== origin || target == null || source !== target) return;
      if ((data as { readonly type?: unknown } | null)?.type !== CONNECTED) return;
      // It was loaded, perhaps again: every actor is introduced to it anew.
      end();
      isHeard.value = true;
      const socket = connect(selection, {
        hasControl: false,
        onFrame: (text) => {
          target.postMessage(JSON.parse(text), origin);
          sent.value++;
        },
        onState: (state) => {
          connection.value = state;
        },
      });
      retry.current = () => socket.retry();
      end = () => socket.end();
    };
    addEventListener('message', onMessage);
    return () => {
      removeEventListener('message', onMessage);
      end();
    };
  }, []);
  return (
    <>
      <p role="status">
        {isHeard.value ? `Connected to ${origin}.` : `Waiting for ${origin}: its page has to load and ask for frames.`}
      </p>
      <p class="dim">{sent.value} frames sent</p>
      {isHeard.value ? <NoConnection state={connection.value} onRetry={() => retry.current()} /> : null}
      <iframe
        ref={frame}
        class="bridge-frame"
        title="Hosted inspector"
        src={url}
        sandbox="allow-scripts allow-same-origin allow-popups"
        referrerpolicy="no-referrer"
      />
    </>
  );
}
