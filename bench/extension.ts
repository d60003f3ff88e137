// The extension: answers each request with the body it was sent, and on another subject with an error.
import { headers } from '#@nats-io/nats-core';
import { connectTo, EXTENSION_SUBJECT, FAILING_SUBJECT, report, serverUrl } from './client.js';

const client = await connectTo(serverUrl(), 'extension');
for (const subject of [EXTENSION_SUBJECT, `${EXTENSION_SUBJECT}.*`])
  client.subscribe(subject, {
    queue: 'extension',
    callback: (error, request) => {
      if (error === null) request.respond(request.data);
    },
  });
const failure = headers(500, 'failed');
failure.set('Nats-Service-Error-Code', '500');
failure.set('Nats-Service-Error', 'failed');
client.subscribe(FAILING_SUBJECT, {
  queue: 'extension',
  callback: (error, request) => {
    if (error === null) request.respond('', { headers: failure });
  },
});
await client.flush();
report();
