// The stream of events: what is read of it in any pieces, and that it is made again.
import test from 'ava';
import { DaemonClient } from '../../../src/cli/daemon/daemon-client.js';
import { EventParser, liveEvents } from '../../../src/cli/daemon/live-events.js';
import { refusalOf } from '../../../src/cli/daemon/refusals.js';
import { CommandError } from '../../../src/cli/process/command-error.js';
import { fakeDaemon, HELLO, Problem, stream } from '../fake-daemon.js';

test('events are read in any pieces and with any line ends', (t) => {
  const text =
    ': ping\n\nevent: rows\ndata: [1,\ndata: 2]\n\nid: b-1\r\nevent: event\r\ndata: {"a":"größe 日本"}\r\n\r\nretry: 5\n\ndata\n\n';
  const whole = [...new EventParser().read(Buffer.from(text))];
  t.deepEqual(whole, [
    { event: 'rows', data: '[1,\n2]', id: null },
    { event: 'event', data: '{"a":"größe 日本"}', id: 'b-1' },
    { event: 'message', data: '', id: null },
  ]);
  const parser = new EventParser();
  t.deepEqual(
    [...Buffer.from(text)].flatMap((byte) => [...parser.read(Uint8Array.of(byte))]),
    whole,
  );
});

test('LIVE-EVENTS-1, -2: a stream that is lost is made again, after the last event that was read', async (t) => {
  let connections = 0;
  const daemon = await fakeDaemon(t, ({ path }, response) => {
    if (path !== '/admin/events') return null;
    connections++;
    if (connections === 2) return new Problem(503, 'shutting_down');
    const send = stream(response);
    send('hello', HELLO);
    send('event', { n: connections }, `b1-${connections}`);
    if (connections === 1) {
      send('bye', { reason: 'stopping' });
      response.end();
    }
    return undefined;
  });
  const ended = new AbortController();
  const seen: string[] = [];
  for await (const { event, data } of liveEvents(new DaemonClient(daemon.url, 't'), '/admin/events', {
    signal: ended.signal,
  })) {
    seen.push(event === 'lost' ? data : event);
    if (connections === 3 && event === 'event') ended.abort();
  }
  t.deepEqual(seen, ['hello', 'event', 'bye', 'the daemon is stopping', 'shutting_down: a detail', 'hello', 'event']);
  t.deepEqual(
    daemon.asked.map(({ headers }) => [headers['last-event-id'] ?? null, headers.authorization]),
    [
      [null, 'Bearer t'],
      ['b1-1', 'Bearer t'],
      ['b1-1', 'Bearer t'],
    ],
  );
});

test('LIVE-EVENTS-2: the first connection has to succeed, and a token that ends, ends it', async (t) => {
  const { signal } = new AbortController();
  const all = async (url: string): Promise<void> => {
    for await (const _ of liveEvents(new DaemonClient(url, null), '/admin/events', { signal }));
  };
  const unreachable = await t.throwsAsync<CommandError>(all('http://127.0.0.1:1'), { instanceOf: CommandError });
  t.is(unreachable?.exitCode, 69);
  const full = await fakeDaemon(t, () => new Problem(503, 'too_many_streams'));
  t.is((await t.throwsAsync<CommandError>(all(full.url)))?.code, 'too_many_streams');
  const revoked = await fakeDaemon(t, (_, response) => {
    const send = stream(response);
    send('hello', HELLO);
    send('bye', { reason: 'unauthenticated' });
    response.end();
  });
  t.regex((await t.throwsAsync(all(revoked.url)))?.message ?? '', /^unauthenticated: the token is not valid any more/);
});

for (const code of ['database_unavailable', 'too_many_requests', 'too_many_streams', 'shutting_down'])
  test(`LIVE-EVENTS-2, -4: ${code} passes, at a later connection and in what it begins with`, async (t) => {
    let connections = 0;
    const daemon = await fakeDaemon(t, (_, response) => {
      connections++;
      if (connections === 2) return new Problem(503, code);
      stream(response)('hello', HELLO);
      if (connections === 1) response.end();
      return undefined;
    });
    const ended = new AbortController();
    let begun = 0;
    const begin = async (): Promise<void> => {
      begun++;
      if (begun === 2) throw refusalOf(503, { code, detail: 'at the beginning' }, null);
    };
    const seen: string[] = [];
    const client = new DaemonClient(daemon.url, null);
    for await (const { event, data } of liveEvents(client, '/admin/events', { signal: ended.signal, begin })) {
      seen.push(event === 'lost' ? data : event);
      if (begun === 3) ended.abort();
    }
    const refused = [`${code}: a detail`, `${code}: at the beginning`];
    t.deepEqual(seen, ['hello', 'the connection was lost', ...refused, 'hello']);
  });

test('LIVE-EVENTS-4: a refusal that waiting does not help ends it', async (t) => {
  const daemon = await fakeDaemon(t, (_, response) => void stream(response)('hello', HELLO));
  const begin = async (): Promise<void> => {
    throw refusalOf(403, { code: 'forbidden' }, null);
  };
  const { signal } = new AbortController();
  const first = liveEvents(new DaemonClient(daemon.url, null), '/admin/events', { signal, begin }).next();
  t.is((await t.throwsAsync<CommandError>(first))?.code, 'forbidden');
});
