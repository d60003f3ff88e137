// A daemon of its own: what it does with a real extension is seen through `/inspect` and `extreg inspect`.
import { once } from 'node:events';
import test from 'ava';
import { WebSocket } from '#ws';
import { directory, run, start } from '../cli/run.js';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { startExtension } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';
import { type Frame, told } from './helpers.js';

test.serial(
  'the life of an extension is seen, from its first call to its trip and the stop of the daemon',
  async (t) => {
    const daemon = await DaemonProcess.startReady(t, { EXTENSION_REGISTRY_ABSENCE_GRACE_SECONDS: '0' });
    const nc = await daemon.connect();
    const sql = daemon.sql();
    const extension = await startExtension(nc, 'ext.echo', (request) => ({ body: request.data }));
    await sql`insert into extensions (id, type, subject) values ('echo', 'pre', 'ext.echo')`;
    await until('the extension is known', async () => (await daemon.state('echo')) === 'closed');
    t.deepEqual(await (await daemon.fetch('/inspect/targets')).json(), {
      targets: [{ extension_id: 'echo', version: 'v1', state: 'closed' }],
    });

    const cli = { cwd: directory(t), env: { EXTENSION_REGISTRY_DATA_DIR: daemon.dataDir } };
    const { stdout, stderr } = await run(['inspect', 'echo', '-q'], cli);
    t.is(stderr, '');
    t.regex(stdout, /^ws:\/\/127\.0\.0\.1:\d+\/inspect\?extension=echo&ticket=[\w-]+\n$/);
    const addresses = (await run(['inspect', 'echo@v1'], cli)).stdout;
    t.regex(
      addresses,
      /^console +http:\S+\/ui\/inspect\/echo@v1\nwebsocket +ws:\S+\?extension=echo&version=v1&ticket=[\w-]+\n/,
    );
    // No hosted inspector is configured.
    t.notRegex(addresses, /bridge/);
    t.regex((await run(['inspect', '-q'], cli)).stdout, /\?extension=\*&ticket=[\w-]+\n$/);
    const unknown = await run(['inspect', 'none', '--follow'], cli);
    t.deepEqual(
      [unknown.code, unknown.stderr],
      [1, "extreg: no extension 'none'\nnext: extreg ls lists the extensions, extreg show <id> the versions of one\n"],
    );

    const follower = start(['inspect', 'echo', '--follow', '--json'], cli);
    t.teardown(() => follower.kill('SIGKILL'));
    let lines = '';
    follower.stdout.setEncoding('utf8').on('data', (text: string) => {
      lines += text;
    });
    const reader = start(['inspect', 'echo', '--follow'], cli);
    t.teardown(() => reader.kill('SIGKILL'));
    let text = '';
    reader.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    const frames: Frame[] = [];
    const socket = new WebSocket(stdout.trim());
    t.teardown(() => socket.terminate());
    socket.on('message', (data) => frames.push(JSON.parse(String(data)) as Frame));
    const count = (printed: string) => printed.split('\n').length - 1;
    // As text the snapshot of a state that was printed already is no line of its own.
    const areIntroduced = () => frames.length === 2 && count(lines) === 3 && count(text) === 2;
    await until('all are introduced', areIntroduced);
    t.regex(text, /^watching echo@v1\n\S+Z {2}echo@v1 {2}is closed\.steady\n/);
    t.deepEqual(told(frames), ['actor {"closed":"steady"}', 'snapshot {"closed":"steady"}']);

    const secret = 'payload-that-is-nobodys-business';
    t.is((await invoke(nc, 'echo', JSON.stringify({ secret }))).error, '');
    await until('the success is seen', () => frames.some((frame) => frame.event?.type === 'attempt.succeeded'));
    extension.stop();
    for (let i = 0; i < 5; i++) t.is((await invoke(nc, 'echo', '{}')).error, 'extension_unavailable');
    await until('the trip is seen', () => frames.some((frame) => frame.snapshot?.value === 'open'));
    t.false(JSON.stringify(frames).includes(secret));

    const closed = once(socket, 'close');
    const ended = once(follower, 'exit');
    const stopped = daemon.stop();
    t.is((await closed)[0], 1001);
    t.is((await ended)[0], 0);
    t.is(await stopped, 0);
    await until(
      'the follower saw the same',
      () =>
        lines.includes('"attempt.succeeded"') &&
        lines.includes('"value":"open"') &&
        /→ open, by attempt\.failed\n/.test(text),
    );
    const afterwards = await run(['inspect', 'echo', '--follow'], cli);
    t.is(afterwards.code, 69);
    t.regex(afterwards.stderr, /^extreg: no daemon runs on .*\n$/);
    for (const line of lines.trim().split('\n')) t.notThrows(() => JSON.parse(line));
  },
);
