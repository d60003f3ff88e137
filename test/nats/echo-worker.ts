// An extension on a thread of its own: it answers on time whatever the thread of the test does.
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { connect } from '#@nats-io/transport-node';

const { url, subject, delayMs } = workerData as { url: string; subject: string; delayMs: number };
const client = await connect({ servers: url });
client.subscribe(subject, {
  callback: (error, request) => {
    if (error === null) void delay(delayMs).then(() => request.respond(request.data));
  },
});
await client.flush();
parentPort?.postMessage('ready');
